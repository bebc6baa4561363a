"""Target rows that the scores are tested on: drawn whole, labels of at least two classes included."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.alignment._samples import PROPERTY

__all__ = ["PROPERTY", "entropy", "labelled", "labels", "noise", "one_hot", "probabilities"]


@st.composite
def labels(draw, n):
    """Class numbers (n,) with gaps between them, of at least two classes."""
    numbers = draw(arrays(np.int64, n, elements=st.sampled_from([0, 2, 5])))
    return numbers if numbers.min() != numbers.max() else np.arange(n) % 2


@st.composite
def labelled(draw, least=6, most=9, width=3):
    """Features (n, d) of full rank, n > d + 1, and labels (n,)."""
    n, d = draw(st.integers(least, most)), draw(st.integers(1, width))
    values = draw(arrays(np.float64, (n, d), elements=st.floats(-3, 3, allow_subnormal=False)))
    # Drawn rows are often equal; small fixed noise keeps every direction well above rounding.
    return values + 0.5 * noise(n, d, key=1), draw(labels(n))


@st.composite
def probabilities(draw):
    """Source predictions (n, z), each row summing to 1, and labels (n,)."""
    n, z = draw(st.integers(2, 8)), draw(st.integers(1, 4))
    weights = draw(arrays(np.float64, (n, z), elements=st.floats(0, 1, allow_subnormal=False)))
    weights[:, 0] += weights.sum(axis=1) < 0.01
    return weights / weights.sum(axis=1, keepdims=True), draw(labels(n))


def noise(n, d, key=0):
    """Fixed standard normal rows."""
    return np.random.Generator(np.random.Philox(key=key)).standard_normal((n, d))


def one_hot(places, size):
    """Rows of 0 with a single 1."""
    return np.eye(size)[places]


def entropy(labels):
    """H(Y) of labels (n,)."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log(shares)).sum())
