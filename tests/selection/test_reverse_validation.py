import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dareps.maths.ridge import ridge_map
from dareps.selection import Outputs, ReverseValidation, ValidationView


def _view(logits, backward, labels):
    target = Outputs(np.zeros((len(logits), 2)), logits)
    source = Outputs(np.zeros((len(labels), 2)), np.zeros((len(labels), logits.shape[1])))
    return ValidationView(1, source, source, labels, target, backward=backward)


def _blobs(seed, flip=False):
    generator = np.random.default_rng(seed)
    labels = np.arange(60) % 3
    centres = 6 * np.eye(3)
    source = centres[labels] + generator.normal(size=(60, 3))
    target = centres[labels] + 0.5 + generator.normal(size=(60, 3))
    return source, target, labels


def test_right_labels_come_back_right():
    source, target, labels = _blobs(0)
    assert ReverseValidation()(_view(10 * np.eye(3)[labels], ridge_map(source, target), labels)) > 0.95


def test_permuted_labels_come_back_wrong():
    source, target, labels = _blobs(1)
    wrong = 10 * np.eye(3)[(labels + 1) % 3]
    assert ReverseValidation()(_view(wrong, ridge_map(source, target), labels)) < 0.05


@pytest.mark.parametrize("only", [0, 1, 2])
def test_a_model_that_predicts_one_class_scores_chance(only):
    source, target, labels = _blobs(2)
    logits = np.zeros((60, 3))
    logits[:, only] = 1.0
    assert ReverseValidation()(_view(logits, ridge_map(source, target), labels)) == pytest.approx(1 / 3)


def test_nan_logits_lose():
    source, target, labels = _blobs(3)
    assert ReverseValidation()(_view(np.full((60, 3), np.nan), ridge_map(source, target), labels)) == -np.inf


ROWS = st.integers(2, 8).flatmap(lambda n: arrays.arrays(np.float64, (n, 3), elements=st.floats(-50, 50)))


@settings(max_examples=60)
@given(ROWS, ROWS, arrays.arrays(np.float64, 3, elements=st.floats(-20, 20)))
def test_the_map_is_ridge_regression(to, at, truth):
    centred = at - at.mean(0)
    ridge = np.square(centred).sum(1).mean() + 1e-6 * np.square(to - at.mean(0)).sum(1).mean() + 1e-12
    values = centred @ truth
    weights = np.linalg.solve(centred.T @ centred + ridge * np.eye(3), centred.T @ values)
    np.testing.assert_allclose(ridge_map(to, at) @ values, (to - at.mean(0)) @ weights, atol=1e-6, rtol=1e-6)


@settings(max_examples=40)
@given(ROWS, ROWS)
def test_moving_both_domains_together_changes_nothing(to, at):
    np.testing.assert_allclose(ridge_map(to + 7.0, at + 7.0), ridge_map(to, at), atol=1e-8)
