"""Expected calibration error: by hand, by definition, and of rows that are put together."""

import math

import numpy as np
import pytest
from hypothesis import given
from scipy.special import softmax

from dareps.maths.calibration import BINS, calibration_error, confidence_bins, pooled_bins
from tests.alignment._samples import PROPERTY
from tests.tasks.test_losses import problems


def logits(*confidences):
    """Rows of two classes of which the first has these probabilities."""
    p = np.array(confidences)
    return np.log(np.stack([p, 1 - p], axis=1))


def error(outputs, labels):
    return calibration_error(confidence_bins(outputs, labels))


@given(problems("classification", missing=False))
@PROPERTY
def test_it_is_the_weighted_gap_between_accuracy_and_confidence(problem):
    outputs, labels = problem
    p = softmax(outputs, axis=1)
    # Classes that differ by rounding alone are told apart by outputs and not by probabilities.
    confidence, right = p.max(axis=1), outputs.argmax(axis=1) == labels
    gaps = 0.0
    for number in range(BINS):
        inside = (confidence > number / BINS) & (confidence <= (number + 1) / BINS)
        if inside.any():
            gaps += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert error(outputs, labels) == pytest.approx(gaps, abs=1e-12)


def test_by_hand():
    """0.8 and 0.86 share a bin, (12/15, 13/15] has 0.86 alone: |0 - 0.8| / 3 + |2 - 0.86 - 0.861| / 3."""
    found = error(logits(0.8, 0.86, 0.861), np.array([1, 0, 0]))
    assert found == pytest.approx((0.8 + 2 - 0.86 - 0.861) / 3)


def test_confidences_that_keep_their_word_have_no_error():
    assert error(logits(*[0.75] * 4), np.array([0, 0, 0, 1])) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("label", "expected"), [(0, 0.0), (1, 1.0)])
def test_sure_predictions_are_right_or_as_wrong_as_can_be(label, expected):
    assert error(np.array([[900.0, -900.0]] * 3), np.full(3, label)) == expected


def test_guesses_of_equal_classes_are_as_confident_as_they_are_right():
    assert error(np.zeros((3, 3)), np.array([0, 1, 2])) == pytest.approx(0, abs=1e-12)


@given(problems("classification", missing=False))
@PROPERTY
def test_a_constant_added_to_a_rows_outputs_changes_nothing(problem):
    outputs, labels = problem
    outputs = np.round(outputs * 2**20) / 2**20  # So that the sums below are exact, and no class draws level.
    rows = np.arange(len(outputs))[:, None] * 0.5
    assert error(outputs + rows, labels) == pytest.approx(error(outputs, labels), abs=1e-9)


@given(problems("classification", missing=False), problems("classification", missing=False))
@PROPERTY
def test_rows_put_together_are_rows_put_together(one, other):
    whole = [np.concatenate(own) for own in zip(one, other, strict=True)]
    found = pooled_bins([confidence_bins(*one), confidence_bins(*other)])
    np.testing.assert_allclose(found, confidence_bins(*whole), rtol=1e-12)
    assert found == sorted(found)


def test_without_rows_or_numbers_there_is_nothing_to_say():
    assert math.isnan(error(np.empty((0, 2)), np.empty(0, int)))
    assert math.isnan(error(np.array([[np.nan, 1.0]]), np.array([0])))
    assert pooled_bins([]) == []
