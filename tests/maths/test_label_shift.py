"""Class shares without labels: closed forms, the constraint, what is drawn, and when to doubt."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import LinearConstraint, minimize

from dareps.maths.label_shift import class_shares, confusion_rates, hard, shares_of, simplex_solution
from tests.alignment._samples import PROPERTY

COUNTS = arrays(np.int64, (3, 3), elements=st.integers(0, 20))
SHARES = arrays(np.float64, 3, elements=st.floats(0, 1)).filter(lambda own: own.sum() > 0.1)
EVEN = np.full(3, 1 / 3)


def rows_with(counts):
    """Labels and one-hot predictions with so many rows of each (predicted, true) pair."""
    predicted, true = (np.repeat(own.ravel(), counts.ravel()) for own in np.indices(counts.shape))
    return true, np.eye(len(counts))[predicted]


@given(COUNTS, SHARES)
@PROPERTY
def test_rows_that_are_predicted_as_label_shift_says_give_the_shares_back(counts, shares):
    counts = counts + 30 * np.eye(3, dtype=int)
    rates, shares = counts / counts.sum(axis=0), shares / shares.sum()
    np.testing.assert_allclose(simplex_solution(rates, rates @ shares), shares, atol=1e-9)
    labels, predicted = rows_with(counts)
    np.testing.assert_allclose(confusion_rates(labels, predicted), rates, rtol=1e-12)


def test_two_classes_by_hand():
    """Of class 0 are 9 of 10 rows seen, of class 1 are 8: a share of 0.55 predicted as 0 is q = (0.55 - 0.2) / 0.7."""
    labels, predicted = rows_with(np.array([[9, 2], [1, 8]]))
    target = hard(np.repeat([[2.0, -1.0], [0.0, 3.0]], (55, 45), axis=0))
    found = class_shares(labels, predicted, target, np.array([0.8, 0.2]), draws=0)
    np.testing.assert_allclose(found.target, [0.5, 0.5], rtol=1e-12)
    np.testing.assert_allclose(found.weights, [0.5 / 0.8, 0.5 / 0.2], rtol=1e-12)
    assert found.unexplained == pytest.approx(0, abs=1e-12)
    assert found.singular == pytest.approx(np.linalg.svd([[0.9, 0.2], [0.1, 0.8]])[1][-1])
    assert found.low.tolist() == found.high.tolist() == found.target.tolist()


def test_more_of_a_class_than_there_can_be_is_all_of_it():
    rates = np.array([[0.9, 0.2], [0.1, 0.8]])
    assert simplex_solution(rates, np.array([0.97, 0.03])).tolist() == [1.0, 0.0]


@given(COUNTS, SHARES)
@PROPERTY
def test_it_is_the_least_squares_solution_among_shares(counts, told):
    assume((counts.sum(axis=0) > 0).all())
    rates, told = counts / counts.sum(axis=0), told / told.sum()
    found = simplex_solution(rates, told)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-12)

    def error(shares):
        return float(np.square(rates @ shares - told).sum())

    other = minimize(error, EVEN, bounds=[(0, 1)] * 3, constraints=LinearConstraint(np.ones(3), 1, 1), method="SLSQP")
    assert error(found) <= other.fun + 1e-7
    corners = [error(corner) for corner in np.eye(3)]
    assert error(found) <= min(corners) + 1e-12


@given(COUNTS, st.permutations(range(3)))
@PROPERTY
def test_another_order_of_the_classes_is_the_same_answer(counts, order):
    counts = counts + 30 * np.eye(3, dtype=int)
    rates, told, order = counts / counts.sum(axis=0), np.array([0.2, 0.5, 0.3]), list(order)
    found = simplex_solution(rates[np.ix_(order, order)], told[order])
    np.testing.assert_allclose(found, simplex_solution(rates, told)[order], atol=1e-9)


def test_a_perfect_classifier_counts():
    labels = np.arange(30) % 3
    target = np.repeat(np.arange(3), (10, 70, 20))
    found = class_shares(labels, np.eye(3)[labels], np.eye(3)[target], shares_of(labels, 3))
    np.testing.assert_allclose(found.target, [0.1, 0.7, 0.2], rtol=1e-12)
    assert found.singular == pytest.approx(1)
    assert (found.low <= found.target).all()
    assert (found.target <= found.high).all()
    assert found.moved.tolist() == [0, 1, 2]
    assert not found.doubt


def test_the_interval_is_that_of_the_counts():
    """Without mistakes the draws are binomial: sd = sqrt(q (1 - q) / m)."""
    labels = np.arange(40) % 2
    target = np.eye(2)[np.repeat([0, 1], (300, 700))]
    found = class_shares(labels, np.eye(2)[labels], target, np.array([0.5, 0.5]), draws=2000)
    sd = (0.3 * 0.7 / 1000) ** 0.5
    assert found.low[0] == pytest.approx(0.3 - 1.96 * sd, abs=0.004)
    assert found.high[0] == pytest.approx(0.3 + 1.96 * sd, abs=0.004)
    narrow = class_shares(labels, np.eye(2)[labels], target, np.array([0.5, 0.5]), draws=2000, level=0.5)
    assert narrow.high[0] - narrow.low[0] == pytest.approx(2 * 0.674 * sd, abs=0.004)


def test_mistakes_are_drawn_as_well():
    """The target's counts are those of m rows a thousandfold, so that what is left is the source's doubt."""
    labels, predicted = rows_with(np.array([[18, 4], [2, 16]]))
    target = np.eye(2)[np.repeat([0, 1], 50_000)]
    found = class_shares(labels, predicted, target, np.array([0.5, 0.5]))
    assert found.high[0] - found.low[0] > 0.1


def test_the_same_seed_draws_the_same():
    labels, predicted = rows_with(np.array([[18, 4], [2, 16]]))
    one, same, other = (class_shares(labels, predicted, predicted, np.array([0.5, 0.5]), seed=own) for own in (0, 0, 1))
    assert one.low.tolist() == same.low.tolist()
    assert one.low.tolist() != other.low.tolist()


def test_probabilities_will_do():
    labels = np.array([0, 0, 1, 1])
    predicted = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8]])
    found = class_shares(labels, predicted, np.full((5, 2), [0.425, 0.575]), np.array([0.5, 0.5]), draws=0)
    np.testing.assert_allclose(found.target, [0.25, 0.75], rtol=1e-9)  # 0.8 q + 0.3 (1 - q) = 0.425


def test_classes_that_look_alike_are_doubted():
    labels, predicted = rows_with(np.array([[10, 10, 0], [10, 10, 0], [0, 0, 20]]))
    found = class_shares(labels, predicted, predicted, EVEN)
    assert found.singular == pytest.approx(0, abs=1e-12)
    assert "confuses" in found.doubt
    assert found.target[2] == pytest.approx(1 / 3)


def test_what_no_shares_explain_is_told():
    """Every class is seen half the time and never more often; the target is seen as class 0 alone."""
    labels, predicted = rows_with(np.array([[10, 5, 5], [5, 10, 5], [5, 5, 10]]))
    found = class_shares(labels, predicted, np.eye(3)[np.zeros(50, dtype=int)], EVEN)
    assert found.target.tolist() == [1, 0, 0]
    assert found.unexplained == pytest.approx(0.5)
    assert "50%" in found.doubt


def test_a_class_without_labelled_rows_gets_nothing():
    labels = np.array([0, 0, 2, 2])
    found = class_shares(labels, np.eye(3)[labels], np.eye(3)[[0, 2, 2, 2]], np.array([0.5, 0.0, 0.5]))
    np.testing.assert_allclose(found.target, [0.25, 0, 0.75])
    np.testing.assert_allclose(found.weights, [0.5, 0, 1.5])
    assert found.singular == pytest.approx(1)


@given(arrays(np.int64, 12, elements=st.integers(-1, 2)))
@PROPERTY
def test_weights_leave_the_mean_loss_of_equal_losses_as_it_is(labels):
    source = shares_of(labels, 3)
    assume(source.any())
    held = np.arange(9) % 3
    found = class_shares(held, np.eye(3)[held], np.eye(3)[[0, 0, 1, 2]], source, draws=0)
    assert found.weights @ source == pytest.approx(1)
    assert (found.weights >= 0).all()


def test_missing_labels_have_no_share():
    assert shares_of(np.array([1, -1, 1, 0]), 3).tolist() == [1 / 3, 2 / 3, 0]
    assert shares_of(np.array([-1]), 2).tolist() == [0, 0]


@pytest.mark.parametrize(("labelled", "rows"), [(0, 3), (3, 0)])
def test_nothing_comes_of_nothing(labelled, rows):
    with pytest.raises(ValueError, match="need labelled rows and target rows"):
        class_shares(np.zeros(labelled, int), np.ones((labelled, 2)), np.ones((rows, 2)), np.array([1.0, 0.0]))
