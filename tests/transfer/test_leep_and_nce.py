import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.transfer import LEEP, NCE

from ._drawn import PROPERTY, entropy, labels, noise, one_hot, probabilities


def leep_by_sums(theta, target):
    """The definition, one term at a time."""
    n, z = theta.shape
    joint = {(y, k): sum(theta[i, k] for i in range(n) if target[i] == y) / n for y in set(target) for k in range(z)}
    total = [sum(joint[y, k] for y in set(target)) for k in range(z)]
    predicted = [sum(joint[target[i], k] / total[k] * theta[i, k] for k in range(z) if total[k]) for i in range(n)]
    return sum(math.log(each) for each in predicted) / n


def nce_by_sums(source, target):
    """The definition, one pair of classes at a time."""
    n, score = len(source), 0.0
    for z in set(source):
        for y in set(target):
            both = sum(a == z and b == y for a, b in zip(source, target, strict=True)) / n
            score += both * math.log(both / (sum(a == z for a in source) / n)) if both else 0
    return score


@st.composite
def classes(draw):
    n = draw(st.integers(2, 10))
    return draw(arrays(np.int64, n, elements=st.integers(0, 3))), draw(labels(n))


@PROPERTY
@given(probabilities())
def test_leep_is_its_sum(drawn):
    assert LEEP()(*drawn) == pytest.approx(leep_by_sums(drawn[0], drawn[1].tolist()), rel=1e-9, abs=1e-12)


@PROPERTY
@given(classes())
def test_nce_is_its_sum(drawn):
    source, target = drawn
    assert NCE()(source, target) == pytest.approx(nce_by_sums(source.tolist(), target.tolist()), rel=1e-9, abs=1e-12)


@PROPERTY
@given(classes())
def test_they_agree_where_predictions_are_certain(drawn):
    source, target = drawn
    theta = one_hot(source, 5)
    assert NCE()(theta, target) == NCE()(source, target)
    assert LEEP()(theta, target) == pytest.approx(NCE()(source, target), rel=1e-9, abs=1e-12)


@PROPERTY
@given(probabilities())
def test_the_ranges(drawn):
    theta, target = drawn
    joint = np.stack([theta[target == y].sum(axis=0) / len(target) for y in np.unique(target)])
    with np.errstate(all="ignore"):
        conditional = np.nansum(joint * np.log(joint / joint.sum(axis=0)))
    assert -entropy(target) - 1e-9 <= conditional <= LEEP()(theta, target) + 1e-9
    assert LEEP()(theta, target) <= 0
    assert -entropy(target) - 1e-9 <= NCE()(theta, target) <= 0


@PROPERTY
@given(probabilities(), st.data())
def test_order_and_names_change_nothing(drawn, data):
    theta, target = drawn
    rows = data.draw(st.permutations(range(len(target))))
    columns = data.draw(st.permutations(range(theta.shape[1])))
    source = theta.argmax(axis=1)
    moved = theta[rows][:, columns]
    assert LEEP()(moved, 7 - target[rows]) == pytest.approx(LEEP()(theta, target), rel=1e-9, abs=1e-12)
    named = np.argsort(columns)[source[rows]] + 10**9
    assert NCE()(named, 7 - target[rows]) == pytest.approx(NCE()(source, target), rel=1e-9, abs=1e-12)


def test_by_hand():
    target = [0, 0, 1, 1]
    assert NCE()([0, 0, 0, 1], target) == pytest.approx((2 * math.log(2 / 3) + math.log(1 / 3)) / 4)
    theta = [[1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    # P(0 | z = 0) = 2 / 2.5; z = 1 is never predicted for label 0.
    assert LEEP()(theta, target) == pytest.approx((2 * math.log(0.8) + math.log(0.1 + 0.5) + math.log(1)) / 4)


def test_both_ends_of_the_range():
    target = np.arange(12) % 3
    same = np.full((12, 4), 0.25)
    assert LEEP()(same, target) == pytest.approx(-math.log(3), rel=1e-12)
    assert NCE()(same, target) == pytest.approx(-math.log(3), rel=1e-12)
    assert LEEP()(one_hot(target + 1, 5), target) == 0
    assert NCE()(target + 1, target) == 0


@pytest.mark.parametrize("score", [LEEP(), NCE()])
def test_they_fall_with_the_noise(score):
    target = np.arange(400) % 4
    clean, error = one_hot(target, 4), noise(400, 4)
    logits = [4 * clean + size * error for size in (0.5, 1.5, 3.0, 9.0)]
    found = [score(np.exp(each) / np.exp(each).sum(axis=1, keepdims=True), target) for each in logits]
    assert (np.diff(found) < 0).all()


def test_nce_reads_logits_as_it_reads_probabilities():
    logits, target = 5 * noise(40, 3), np.arange(40) % 2
    assert NCE()(logits, target) == NCE()(torch.tensor(logits).softmax(1), target)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_low_precision_will_do(dtype):
    logits, target = torch.tensor(noise(60, 100)), np.arange(60) % 3
    exact = LEEP()(logits.softmax(1), target)
    assert LEEP()(logits.softmax(1).to(dtype), target) == pytest.approx(exact, rel=10 * torch.finfo(dtype).eps)
