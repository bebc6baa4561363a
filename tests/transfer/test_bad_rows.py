"""What the scores refuse: each mistake is one line with place, value and remedy."""

import numpy as np
import pytest
import torch

from dareps.errors import ConfigError, ContractError, DataError
from dareps.maths import domain_classifier
from dareps.plugin import plugins
from dareps.transfer import LEEP, NCE, HScore, LogME, Transferability, proxy_a_distance

from ._drawn import noise

SCORES = [LogME(), HScore(), HScore(shrinkage="ledoit_wolf"), LEEP(), NCE()]
LABELS = np.arange(20) % 3
ROWS = np.abs(noise(20, 3)) / np.abs(noise(20, 3)).sum(axis=1, keepdims=True)


def refusal(score, rows, labels):
    with pytest.raises(DataError) as caught:
        score(rows, labels)
    text = str(caught.value)
    assert text.startswith(score.name)
    assert caught.value.fix
    return text


def spoilt(array, place, value):
    array = np.array(array, float)
    array[place] = value
    return array


def test_the_shipped_scores_are_found_by_name():
    assert set(plugins(Transferability)) >= {"logme", "leep", "nce", "h_score"}
    assert Transferability.bind({"name": "h_score", "shrinkage": 0.5}) == HScore(shrinkage=0.5)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_no_numbers(score, bad):
    assert "row 4: not a finite number, got " in refusal(score, spoilt(ROWS, (4, 1), bad), LABELS)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("bad", [-1, 0.5, np.nan, np.inf])
def test_labels_that_are_no_classes(score, bad):
    found = refusal(score, ROWS, spoilt(LABELS, 7, bad))
    assert found.startswith(f"{score.name} labels row 7: not a class number from 0 on, got {bad}")


@pytest.mark.parametrize("score", SCORES)
def test_one_class_says_nothing(score):
    assert "labels: all rows have one class, got 2" in refusal(score, ROWS, np.full(20, 2))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("labels", [LABELS[:19], LABELS[:, None], 3])
def test_labels_that_do_not_fit_the_rows(score, labels):
    assert "labels: expected one class for each of 20 rows, got (" in refusal(score, ROWS, labels)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("rows", [np.ones((20, 3, 2)), np.ones((20, 0)), np.ones((0, 3))])
def test_outputs_of_a_wrong_shape(score, rows):
    assert "(n, d), got (" in refusal(score, rows, LABELS)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("words", [[["a", "b"]] * 20, [[1, 2], [3]], ROWS + 1j])
def test_outputs_that_are_not_numbers_at_all(score, words):
    assert "Give an array or a tensor of numbers." in refusal(score, words, LABELS)


@pytest.mark.parametrize("score", [each for each in SCORES if each.reads == "features"])
def test_features_that_do_not_vary(score):
    assert "features: all rows are the same, got 20" in refusal(score, np.full((20, 4), 0.1), LABELS)


def test_predictions_that_are_no_probabilities():
    assert "predictions row 2: a probability below 0, got -0.1" in refusal(LEEP(), spoilt(ROWS, (2, 0), -0.1), LABELS)
    assert "sum, got 6.0. Give the softmax" in refusal(LEEP(), np.full((20, 3), 2.0), LABELS)


def test_source_labels_are_checked_like_labels():
    assert "nce source classes row 3: not a class" in refusal(NCE(), spoilt(LABELS, 3, -1), LABELS)
    assert "nce source classes" in refusal(NCE(), 3, LABELS)


@pytest.mark.parametrize("labels", [np.full(20, 3.0), np.column_stack((np.arange(20), np.ones(20)))])
def test_amounts_that_do_not_vary(labels):
    assert "a target does not vary, column, got " in refusal(LogME(kind="regression"), ROWS, labels)


def test_amounts_that_do_not_fit():
    score = LogME(kind="regression")
    assert "labels row 1: not a finite number, got nan" in refusal(score, ROWS, spoilt(LABELS, 1, np.nan))
    assert "expected labels for 20 rows, got (10,)" in refusal(score, ROWS, np.arange(10))


@pytest.mark.parametrize("shrinkage", [-0.1, 1.0, "oas", True])
def test_settings_out_of_range(shrinkage):
    with pytest.raises((ConfigError, ValueError), match="shrinkage"):
        HScore(shrinkage=shrinkage)


def test_a_score_that_computes_nothing_says_so():
    class Silent(Transferability, abstract=True):
        """Says nothing."""

    with pytest.raises(ContractError, match="Define __call__"):
        Silent()(ROWS, LABELS)


def test_the_proxy_distance_of_like_and_of_far_domains():
    rows = torch.tensor(noise(800, 3))
    assert proxy_a_distance(rows[:400], rows[400:]) == pytest.approx(0, abs=0.2)
    assert proxy_a_distance(rows[:400], rows[400:] + 50) == 2


def test_the_proxy_distance_is_that_of_the_closed_form_and_symmetric():
    # Unit Gaussians in 3 dimensions, every coordinate shifted by s: the best error is Phi(-s sqrt(3) / 2).
    from scipy.stats import norm

    rows = noise(8000, 3)
    for shift in (0.3, 0.6, 1.2):
        found = proxy_a_distance(rows[:4000], rows[4000:] + shift)
        assert found == pytest.approx(2 * (1 - 2 * norm.cdf(-shift * np.sqrt(3) / 2)), abs=0.12)
        assert proxy_a_distance(rows[4000:] + shift, rows[:4000]) == pytest.approx(found, abs=1e-3)


def test_worse_than_chance_is_no_distance():
    seen, held = (np.zeros((9, 1)), np.ones((9, 1))), (np.ones((9, 1)), np.zeros((9, 1)))
    assert domain_classifier.proxy_a_distance(seen, held) == 0


@pytest.mark.parametrize(
    ("source", "target", "what"),
    [
        (ROWS, ROWS[:, :2], "differ in width, got ((20, 3), (20, 2))"),
        (ROWS[:1], ROWS, "needs two rows, one to learn from, got ((1, 3), (20, 3))"),
        (spoilt(ROWS, (3, 0), np.nan), ROWS, "proxy_a_distance source row 3: not a finite number"),
        (ROWS, ROWS[0], "proxy_a_distance target: expected a row of numbers per example"),
    ],
)
def test_samples_without_a_distance(source, target, what):
    with pytest.raises(DataError) as caught:
        proxy_a_distance(source, target)
    assert what in str(caught.value)
