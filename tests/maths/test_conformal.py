"""Conformal sets: what they promise, what they equal, and their limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import binom

from dareps.maths.conformal import effective_rows, prediction_sets, scores_of, weighted_limits
from tests.alignment._samples import PROPERTY

SCORES = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1))
LEVELS = st.floats(0.01, 0.99)
WEIGHTS = st.floats(0, 100, allow_subnormal=False)
P = arrays(np.float64, (4, 3), elements=st.floats(-5, 5)).map(lambda own: softmax(own, axis=1))


@given(SCORES, LEVELS, st.sampled_from([0.25, 1.0, 8.0]))
@PROPERTY
def test_equal_weights_are_ordinary_split_conformal(scores, level, weight):
    place = math.ceil(level * (len(scores) + 1))
    expected = np.sort(scores)[place - 1] if place <= len(scores) else np.inf
    found = weighted_limits(scores, np.full(len(scores), weight), np.full(2, weight), level)
    assert found.tolist() == [expected, expected]


@given(SCORES, LEVELS, WEIGHTS, st.data())
@PROPERTY
def test_it_is_the_quantile_of_the_weighted_scores_and_one_of_infinity(scores, level, own, data):
    weights = data.draw(arrays(np.float64, len(scores), elements=WEIGHTS))
    (found,) = weighted_limits(scores, weights, np.array([own]), level)
    total = weights.sum() + own
    if total == 0:
        assert found == np.inf
        return
    below, until = weights[scores < found].sum(), weights[scores <= found].sum() + (own if found == np.inf else 0)
    assert below < level * total * (1 + 1e-9)
    assert until >= level * total * (1 - 1e-9)


@given(P, SCORES, st.tuples(LEVELS, LEVELS), st.data())
@PROPERTY
def test_a_higher_level_only_adds_classes(p, scores, levels, data):
    weights = data.draw(arrays(np.float64, len(scores), elements=WEIGHTS))
    own = data.draw(arrays(np.float64, len(p), elements=WEIGHTS))
    low, high = (prediction_sets(p, own, scores, weights, level) for level in sorted(levels))
    assert (low <= high).all()


@given(P, SCORES, LEVELS)
@PROPERTY
def test_a_row_unlike_all_others_gets_every_class(p, scores, level):
    ones = np.ones(len(scores))
    assert prediction_sets(p, np.full(len(p), np.inf), scores, ones, level).all()
    assert prediction_sets(p, np.full(len(p), 1e9), scores, ones, level).all()
    assert prediction_sets(p, np.zeros(len(p)), scores, 0 * ones, level).all()
    assert prediction_sets(p, np.ones(len(p)), np.empty(0), np.empty(0), level).all()


@given(P, SCORES, LEVELS, st.data())
@PROPERTY
def test_the_scale_of_weights_and_the_order_of_rows_are_nothing(p, scores, level, data):
    weights = data.draw(arrays(np.float64, len(scores), elements=st.integers(0, 9).map(float)))
    order = data.draw(st.permutations(range(len(scores))))
    found = prediction_sets(p, np.ones(len(p)), scores, weights, level)
    assert (found == prediction_sets(p, np.full(len(p), 4.0), scores, 4 * weights, level)).all()
    assert (found == prediction_sets(p, np.ones(len(p)), scores[order], weights[order], level)).all()


def test_one_heavy_row_decides():
    scores, weights = np.array([0.1, 0.4, 0.7]), np.array([1.0, 98.0, 1.0])
    assert weighted_limits(scores, weights, np.array([0.0, 100.0]), 0.5).tolist() == [0.4, 0.7]
    p = np.array([[0.7, 0.3], [0.55, 0.45], [0.59, 0.41]])
    assert prediction_sets(p, np.zeros(3), scores, weights, 0.5).tolist() == [[True, False], [False] * 2, [False] * 2]


def test_scores_are_what_the_right_class_lacks():
    assert scores_of(np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0])).tolist() == pytest.approx([0.3, 0.8])


def _world(shift, rows, key):
    """Rows whose classes are the harder to tell the larger x, and a classifier that is surer than it should be."""
    draws = np.random.Generator(np.random.Philox(key=key))
    x = draws.normal(size=rows) + shift
    truth = softmax(np.stack([3 - 1.5 * x, np.zeros(rows), 0.5 * x], axis=1), axis=1)
    labels = (draws.random((rows, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    return x, labels, truth**2 / (truth**2).sum(axis=1, keepdims=True)


@pytest.fixture(scope="module", params=[0.8, 0.9])
def covered(request):
    """How often sets hold the right class, in draws of 80 calibration rows and a target row, weighted and not."""
    level, shift, hits = request.param, 1.2, np.zeros(2, dtype=int)
    draws = 1500
    for key in range(draws):
        x, labels, p = _world(0.0, 80, 2 * key)
        new, (label,), q = _world(shift, 1, 2 * key + 1)
        held, own = (np.exp(shift * rows - shift**2 / 2) for rows in (x, new))
        for place, weights in enumerate(((held, own), (np.ones(80), np.ones(1)))):
            hits[place] += prediction_sets(q, weights[1], scores_of(p, labels), weights[0], level)[0, label]
    return level, draws, hits


def test_the_true_weights_keep_the_promise_under_covariate_shift(covered):
    level, draws, (weighted, plain) = covered
    low, high = binom.ppf([0.001, 0.999], draws, level)
    assert weighted >= low
    assert plain < low  # Else this would prove nothing.
    assert high < draws


def test_rows_that_say_as_much():
    assert effective_rows(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_rows(np.array([1.0, 0.0, 0.0])) == 1
    assert effective_rows(np.zeros(3)) == effective_rows(np.empty(0)) == 0
