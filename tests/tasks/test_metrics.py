"""Metrics against scikit-learn's own, and with labels missing."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from dareps.tasks import KINDS
from dareps.types import Task
from tests.alignment._samples import PROPERTY
from tests.tasks.test_losses import SIZE, problems

CLASSES, NUMBERS, SETS = (KINDS[kind] for kind in ("classification", "regression", "multilabel"))


@given(problems("classification"))
@PROPERTY
def test_classes(problem):
    outputs, labels = problem
    found, known = CLASSES.scores(labels, outputs), labels >= 0
    if not known.any():
        assert all(map(math.isnan, (found.primary, *found.metrics.values())))
        return
    y, p = labels[known], outputs.argmax(axis=1)[known]
    occurring = np.unique(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found.primary == pytest.approx(metrics.accuracy_score(y, p))
        assert found.metrics["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, p))
        f1 = metrics.f1_score(y, p, labels=occurring, average="macro", zero_division=0)
    assert found.metrics["macro_f1"] == pytest.approx(f1)
    assert found.confusion == metrics.confusion_matrix(y, p, labels=range(SIZE)).tolist()


@given(problems("regression", missing=False, least=2))
@PROPERTY
def test_numbers(problem):
    outputs, labels = problem
    found = NUMBERS.scores(labels, outputs)
    close = {"rel": 1e-6, "abs": 1e-9}
    assert found.metrics["rmse"] == pytest.approx(metrics.root_mean_squared_error(labels, outputs), **close)
    assert found.metrics["mae"] == pytest.approx(metrics.mean_absolute_error(labels, outputs), **close)
    if (labels.var(axis=0) > 1e-9).all():
        assert found.primary == pytest.approx(metrics.r2_score(labels, outputs), **close)
        explained = metrics.explained_variance_score(labels, outputs)
        assert found.metrics["explained_variance"] == pytest.approx(explained, **close)


@given(problems("multilabel", missing=False))
@PROPERTY
def test_label_sets(problem):
    outputs, labels = problem
    found, true = SETS.scores(labels, outputs), labels.any(axis=0)
    assert found.metrics["exact_match"] == pytest.approx(metrics.accuracy_score(labels, outputs > 0))
    if not true.any():
        assert math.isnan(found.primary)
        return
    precision = metrics.average_precision_score(labels[:, true], outputs[:, true], average="macro")
    f1 = [metrics.f1_score(labels[:, own], outputs[:, own] > 0, zero_division=0) for own in np.flatnonzero(true)]
    assert found.primary == pytest.approx(precision)
    assert found.metrics["macro_f1"] == pytest.approx(np.mean(f1))


@pytest.mark.parametrize("kind", list(KINDS))
@given(data=st.data())
@PROPERTY
def test_a_row_without_labels_changes_nothing(kind, data):
    outputs, labels = data.draw(problems(kind))
    more = np.concatenate([outputs, data.draw(arrays(np.float64, (2, SIZE), elements=st.floats(-9, 9)))])
    beside = np.concatenate([labels, KINDS[kind].empty(Task("t", kind, SIZE), 2)])
    one, other = (KINDS[kind].scores(*pair) for pair in ((labels, outputs), (beside, more)))
    np.testing.assert_equal([one.primary, one.metrics, one.confusion], [other.primary, other.metrics, other.confusion])


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_predicted_exactly_scores_one(kind):
    labels = {"classification": np.array([0, 2, 1]), "regression": np.arange(9.0).reshape(3, 3)}
    y = labels.get(kind, np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=float))
    outputs = {"classification": np.eye(3)[y.astype(int)] if kind == "classification" else None, "regression": y}
    found = KINDS[kind].scores(y, outputs.get(kind, 2 * y - 1))
    assert found.primary == pytest.approx(1)
    assert tuple(found.metrics) == KINDS[kind].further
    assert np.array_equal(KINDS[kind].predicted(outputs.get(kind, 2 * y - 1)), y)


def test_numbers_of_which_each_output_has_its_own_rows():
    labels = np.array([[1.0, math.nan], [3.0, 5.0], [math.nan, 7.0]])
    outputs = np.array([[1.0, 9.0], [3.0, 5.0], [9.0, 5.0]])
    found = NUMBERS.scores(labels, outputs)
    # The first output is exact; the second misses 5, 7 by 0, 2: R^2 = 1 - 4 / 2 = -1.
    assert found.primary == pytest.approx((1 - 1) / 2)
    assert found.metrics["rmse"] == pytest.approx((0 + math.sqrt(2)) / 2)
    assert found.metrics["mae"] == pytest.approx((0 + 1) / 2)


@pytest.mark.parametrize(
    ("labels", "outputs", "r2"),
    [([[2.0]], [[2.0]], math.nan), ([[2.0], [2.0]], [[2.0], [2.0]], 1.0), ([[2.0], [2.0]], [[2.0], [3.0]], 0.0)],
)
def test_of_equal_labels_there_is_nothing_to_explain(labels, outputs, r2):
    np.testing.assert_equal(NUMBERS.scores(np.array(labels), np.array(outputs)).primary, r2)
