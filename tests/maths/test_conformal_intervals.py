"""Conformal intervals of numbers: what they promise, what they equal, and their limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.maths.conformal import errors_of, prediction_intervals, prediction_sets, weighted_limits
from tests.alignment._samples import PROPERTY

ERRORS = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 10))
LEVELS = st.floats(0.01, 0.99)
OUTPUTS = arrays(np.float64, (4, 2), elements=st.floats(-100, 100))
DRAWS = 20000


@given(OUTPUTS, OUTPUTS)
@PROPERTY
def test_a_row_errs_by_its_worst_number(outputs, labels):
    found = errors_of(outputs, labels)
    assert found.tolist() == [max(abs(a - b) for a, b in zip(*row, strict=True)) for row in zip(outputs, labels)]  # noqa: B905


@given(OUTPUTS, ERRORS, LEVELS, st.data())
@PROPERTY
def test_an_interval_holds_what_errs_no_more_than_the_limit(outputs, errors, level, data):
    weights = data.draw(arrays(np.float64, len(errors), elements=st.floats(0.1, 9)))
    own = data.draw(arrays(np.float64, len(outputs), elements=st.floats(0.1, 9)))
    ends = prediction_intervals(outputs, own, errors, weights, level)
    limits = weighted_limits(errors, weights, own, level)
    held = np.isfinite(limits)
    np.testing.assert_allclose(ends[held].mean(axis=2), outputs[held], atol=1e-9)
    np.testing.assert_allclose((ends[..., 1] - ends[..., 0])[held], 2 * np.stack([limits] * 2, axis=1)[held], atol=1e-9)
    assert np.isinf(ends[~held]).all()


@given(OUTPUTS, ERRORS, st.tuples(LEVELS, LEVELS))
@PROPERTY
def test_a_higher_level_only_widens(outputs, errors, levels):
    ones = np.ones(len(errors))
    low, high = (prediction_intervals(outputs, np.ones(4), errors, ones, level) for level in sorted(levels))
    assert (high[..., 0] <= low[..., 0]).all()
    assert (high[..., 1] >= low[..., 1]).all()


def test_too_few_rows_promise_nothing():
    outputs, ones = np.zeros((1, 1)), np.ones(1)
    assert prediction_intervals(outputs, ones, np.arange(9.0), np.ones(9), 0.9).tolist() == [[[-8.0, 8.0]]]
    assert np.isinf(prediction_intervals(outputs, ones, np.arange(8.0), np.ones(8), 0.9)).all()
    assert np.isinf(prediction_intervals(outputs, ones, np.empty(0), np.empty(0), 0.1)).all()
    assert np.isinf(prediction_intervals(outputs, ones * 1e9, np.arange(9.0), np.ones(9), 0.5)).all()


@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (19, 0.9), (20, 0.5), (7, 0.3)])
def test_coverage_of_exchangeable_rows_is_known(n, level):
    """The rank of a new error among n + 1 is uniform, so that the chance is ceil(level (n + 1)) / (n + 1)."""
    draws = np.random.Generator(np.random.Philox(key=n)).standard_normal((DRAWS, n + 1))
    errors = np.sort(np.abs(draws[:, :n]), axis=1)
    place = math.ceil(level * (n + 1) - 1e-12)
    limits = [weighted_limits(row, np.ones(n), np.ones(1), level)[0] for row in errors[:200]]
    np.testing.assert_array_equal(limits, errors[:200, place - 1])
    covered = (np.abs(draws[:, n]) <= errors[:, place - 1]).mean()
    assert covered == pytest.approx(place / (n + 1), abs=4 * 0.5 / DRAWS**0.5)


def test_under_true_weights_the_promise_holds_where_errors_grow_with_the_shift():
    """x is uniform on the source and has density 2 x on the target; errors are x times noise."""
    generator = np.random.Generator(np.random.Philox(key=3))
    n, rounds, level = 40, 3000, 0.8
    hits = {"weighted": 0, "plain": 0}
    for _ in range(rounds):
        source, target = generator.random(n), np.sqrt(generator.random(1))
        errors, new = source * abs(generator.normal(size=n)), target * abs(generator.normal(size=1))
        hits["weighted"] += bool(new <= weighted_limits(errors, 2 * source, 2 * target, level))
        hits["plain"] += bool(new <= weighted_limits(errors, np.ones(n), np.ones(1), level))
    slack = 4 * math.sqrt(level * (1 - level) / rounds)
    assert hits["weighted"] / rounds >= level - slack
    assert hits["weighted"] / rounds <= level + 2 / (n * 0.9) + slack  # The largest share that one row's weight has.
    assert hits["plain"] / rounds < level - slack


def test_sets_and_intervals_ask_the_same_limit():
    errors, weights = np.array([0.1, 0.4, 0.7]), np.array([1.0, 98.0, 1.0])
    ends = prediction_intervals(np.array([[2.0]]), np.zeros(1), errors, weights, 0.5)
    np.testing.assert_allclose(ends, [[[1.6, 2.4]]])
    assert prediction_sets(np.array([[0.7, 0.5]]), np.zeros(1), errors, weights, 0.5).tolist() == [[True, False]]
