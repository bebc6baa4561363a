import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn.covariance import ledoit_wolf

from dareps.errors import DataError
from dareps.transfer import HScore

from ._drawn import PROPERTY, labelled, noise, one_hot

SHRUNK = HScore(shrinkage="ledoit_wolf")


def between(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The covariance of class means, over n."""
    means = np.stack([features[labels == label].mean(axis=0) for label in labels])
    return np.atleast_2d(np.cov(means.T, bias=True))


@PROPERTY
@given(labelled())
def test_it_is_the_trace_of_its_definition(drawn):
    features, labels = drawn
    covariance = np.atleast_2d(np.cov(features.T, bias=True))
    expected = np.trace(np.linalg.pinv(covariance) @ between(features, labels))
    assert HScore()(features, labels) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@PROPERTY
@given(labelled())
def test_the_best_shrinkage_is_that_of_ledoit_and_wolf(drawn):
    features, labels = drawn
    features = np.pad(features, ((0, 0), (0, 1)))  # a covariance of one number needs no shrinkage
    covariance, a = ledoit_wolf(features)
    expected = np.trace(np.linalg.pinv(covariance) @ between(features, labels)) * (1 - a)
    assert SHRUNK(features, labels) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@PROPERTY
@given(labelled(), st.floats(0.01, 0.9))
def test_a_given_shrinkage_is_used(drawn, a):
    features, labels = drawn
    covariance = np.atleast_2d(np.cov(features.T, bias=True))
    shrunk = (1 - a) * covariance + a * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    expected = np.trace(np.linalg.inv(shrunk) @ between(features, labels)) * (1 - a)
    found = HScore(shrinkage=a)(features, labels)
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-12)
    assert found <= HScore()(features, labels) + 1e-12


@PROPERTY
@given(labelled(), st.permutations(range(6)))
def test_invertible_affine_maps_and_order_change_nothing(drawn, order):
    features, labels = drawn
    d = features.shape[1]
    first = [*order, *range(6, len(labels))]
    mapped = features @ (noise(d, d, key=3) + 3 * np.eye(d)) + 5
    score = HScore()(features, labels)
    for other in (HScore()(mapped, labels), HScore()(features[first], labels[first])):
        assert other == pytest.approx(score, rel=1e-8, abs=1e-10)


@PROPERTY
@given(labelled(), st.sampled_from([1e-160, 9.0, 1e160]))
def test_with_shrinkage_only_turns_shifts_and_units_change_nothing(drawn, unit):
    features, labels = drawn
    wide = np.pad(features, ((0, 0), (0, 1)))
    turned = (wide @ ortho_group.rvs(wide.shape[1], random_state=0) + 2) * unit
    assert SHRUNK(turned, labels) == pytest.approx(SHRUNK(wide, labels), rel=1e-8, abs=1e-10)


@PROPERTY
@given(labelled())
def test_the_range(drawn):
    features, labels = drawn
    top = min(features.shape[1], len(np.unique(labels)) - 1)
    assert -1e-12 <= SHRUNK(features, labels) <= HScore()(features, labels) + 1e-12 <= top + 2e-12


def test_both_ends_of_the_range():
    labels = np.arange(40) % 4
    assert HScore()(one_hot(labels, 4), labels) == pytest.approx(3, rel=1e-12)
    assert HScore()(np.repeat(noise(10, 3), 4, axis=0), labels) == pytest.approx(0, abs=1e-12)


def test_a_column_that_does_not_vary_adds_nothing():
    features, labels = noise(60, 3), np.arange(60) % 3
    wide = np.column_stack((features, np.full(60, 0.1)))
    assert HScore()(wide, labels) == pytest.approx(HScore()(features, labels), rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(8, 7), (8, 30)])
def test_features_that_score_the_same_on_any_labels_are_refused(n, d):
    with pytest.raises(DataError, match=r"h_score features: .* any labels, .* got \(8, .* ledoit_wolf"):
        HScore()(noise(n, d), np.arange(n) % 2)
    assert 0 <= SHRUNK(noise(n, d), np.arange(n) % 2) < 1


def test_more_features_than_rows_agree_with_fewer_that_say_the_same():
    features, labels = noise(12, 3), np.arange(12) % 2
    wide = np.pad(features, ((0, 0), (0, 20))) @ ortho_group.rvs(23, random_state=1)
    assert HScore()(wide, labels) == pytest.approx(HScore()(features, labels), rel=1e-9)


def test_shrinkage_of_a_single_feature_is_none():
    features, labels = noise(30, 1), np.arange(30) % 3
    assert SHRUNK(features, labels) == HScore()(features, labels)


@pytest.mark.parametrize("score", [HScore(), SHRUNK])
def test_it_falls_with_the_noise(score):
    labels = np.arange(400) % 4
    clean, error = one_hot(labels, 4), noise(400, 4)
    found = [score(clean + size * error, labels) for size in (0.05, 0.2, 0.5, 1.0)]
    assert (np.diff(found) < 0).all()
    single = (clean + 0.5 * error).astype(np.float32)
    assert score(single, labels) == pytest.approx(found[2], rel=1e-5)
