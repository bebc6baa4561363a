"""Weights of sources by bounds: their order, their sum, and what they minimise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.maths.nearness import nearness_weights
from tests.alignment._samples import PROPERTY


@given(arrays(np.float64, st.integers(1, 6), elements=st.floats(0, 2)), st.floats(-1, 1))
@PROPERTY
def test_nearness_prefers_the_smaller_bound_and_sums_to_one(bounds, move):
    found = nearness_weights(bounds)
    assert found.sum() == pytest.approx(1)
    assert (np.diff(found[np.argsort(bounds)]) <= 1e-12).all()
    np.testing.assert_allclose(nearness_weights(bounds + move), found, atol=1e-9)
    np.testing.assert_allclose(nearness_weights(np.full(3, bounds[0])), 1 / 3)


@given(arrays(np.float64, 3, elements=st.floats(0, 2)), arrays(np.float64, 3, elements=st.floats(0.01, 1)))
@PROPERTY
def test_nearness_minimises_the_bound_less_entropy(bounds, other):
    def objective(w):
        return w @ bounds + 0.25 * (w * np.log(np.maximum(w, 1e-300))).sum()

    assert objective(nearness_weights(bounds)) <= objective(other / other.sum()) + 1e-12
