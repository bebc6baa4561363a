import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm, ortho_group

from dareps.transfer import LogME
from dareps.transfer.scores._evidence import Evidence, evidences
from dareps.transfer.scores._spectrum import spectrum

from ._drawn import PROPERTY, labelled, noise, one_hot

REGRESSION = LogME(kind="regression")


def best(features: np.ndarray, target: np.ndarray) -> Evidence:
    return next(evidences(*spectrum(features), [target[:, None]]))


def log_density(features: np.ndarray, target: np.ndarray, signal: float, noise: float) -> float:
    """The evidence by its definition, as a density of n dimensions, per row."""
    covariance = noise * np.eye(len(target)) + signal * features @ features.T
    return float(multivariate_normal(np.zeros(len(target)), covariance).logpdf(target)) / len(target)


@PROPERTY
@given(labelled())
def test_the_evidence_is_the_density_at_the_variances_found(drawn):
    features, labels = drawn
    target = (labels == labels[0]) + 0.3 * noise(len(labels), 1, key=2)[:, 0]
    found = best(features, target)
    assert found.value == pytest.approx(log_density(features, target, found.signal, found.noise), rel=1e-9, abs=1e-9)


@PROPERTY
@given(labelled())
def test_no_other_variances_give_more(drawn):
    features, labels = drawn
    target = (labels == labels[0]) + 0.3 * noise(len(labels), 1, key=2)[:, 0]
    found = best(features, target)

    def negative(logarithms):
        return -log_density(features, target, *np.exp(logarithms))

    # The first start is near the limit of noise alone, where signal = 0 and its logarithm has no end.
    starts = [(-25.0, 0.0), (-4.0, 0.0), (2.0, -3.0)]
    others = [minimize(negative, start, bounds=[(-30, 8), (-9, 4)]) for start in starts]
    highest = -min(other.fun for other in others)
    assert found.value >= highest - 1e-9
    assert found.value == pytest.approx(highest, abs=1e-5)


def test_of_two_maxima_the_higher_is_found():
    # One direction explains half at a small signal already, the other one nearly all the rest at a large one.
    n = 40
    basis = np.linalg.qr(noise(n, n))[0]
    scales, coefficients = np.array([1e3, 1e-3, *np.zeros(n - 2)]), np.array([10.0, 10.0, *np.full(n - 2, 0.1)])
    found = best(basis[:, :2] * scales[:2], basis @ coefficients)
    signals, noises = np.meshgrid(np.logspace(-8, 10, 91), np.logspace(-3, 1, 41), indexing="ij")
    spread = np.sqrt(noises[..., None] + signals[..., None] * scales**2)
    highest = norm.logpdf(coefficients, scale=spread).mean(axis=-1).max(axis=1)
    peaks = (highest[1:-1] > highest[:-2]) & (highest[1:-1] > highest[2:])
    assert peaks.sum() == 2
    assert highest.max() <= found.value <= highest.max() + 0.01


@PROPERTY
@given(labelled())
def test_classes_are_scored_one_against_the_rest_however_they_are_numbered(drawn):
    features, labels = drawn
    classes = np.unique(labels)
    columns = (labels[:, None] == classes).astype(float)
    expected = np.mean([best(features, column).value for column in columns.T])
    assert LogME()(features, labels) == pytest.approx(expected, rel=1e-9)
    assert LogME()(features, np.searchsorted(classes, labels)) == LogME()(features, labels)
    assert REGRESSION(features, columns) == pytest.approx(expected, rel=1e-9)


@PROPERTY
@given(labelled(), st.permutations(range(6)), st.sampled_from([1e-3, 7.0, 1e180]))
def test_order_orthogonal_maps_and_units_of_features_change_nothing(drawn, order, unit):
    features, labels = drawn
    first = [*order, *range(6, len(labels))]
    turned = features @ ortho_group.rvs(features.shape[1], random_state=0) if features.shape[1] > 1 else -features
    score = LogME()(features, labels)
    for other in (LogME()(features[first], labels[first]), LogME()(turned, labels), LogME()(features * unit, labels)):
        assert other == pytest.approx(score, rel=1e-9, abs=1e-9)


@PROPERTY
@given(labelled(), st.sampled_from([1e-170, 0.1, 9.0, 1e170]))
def test_the_unit_of_amounts_is_the_unit_of_the_density(drawn, unit):
    features, labels = drawn
    amounts = labels + 0.3 * noise(len(labels), 1, key=2)[:, 0]
    expected = REGRESSION(features, amounts) - np.log(unit)
    assert REGRESSION(features, amounts * unit) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@PROPERTY
@given(labelled(), st.integers(1, 20))
def test_more_features_than_rows_agree_with_fewer_that_say_the_same(drawn, more):
    features, labels = drawn
    wide = np.pad(features, ((0, 0), (0, more)))
    turned = wide @ ortho_group.rvs(wide.shape[1], random_state=1)
    assert LogME()(turned, labels) == pytest.approx(LogME()(features, labels), rel=1e-9, abs=1e-9)


def test_as_many_directions_as_rows_leave_a_finite_evidence():
    features = noise(6, 10)
    target = noise(6, 1, key=1)[:, 0]
    found = best(features, target)
    assert np.isfinite(found.value)
    others = [log_density(features, target, signal, 1e-6) for signal in np.logspace(-4, 2, 40)]
    assert found.value >= max(others)


def test_labels_that_are_a_linear_function_of_the_features_have_no_bound():
    labels = np.arange(40) % 4
    assert LogME()(one_hot(labels, 4) @ noise(4, 6), labels) == np.inf


def test_labels_without_a_trace_in_the_features_are_noise_alone():
    features = np.tile([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], (2, 1))
    target = np.repeat([1.0, -1.0], 4)
    found = best(features, target)
    assert (found.signal, found.noise) == (0, pytest.approx(1))
    assert found.value == pytest.approx(-(np.log(2 * np.pi) + 1) / 2)


@pytest.mark.parametrize("score", [LogME(), REGRESSION])
def test_it_falls_with_the_noise(score):
    labels = np.arange(200) % 4
    clean, error = one_hot(labels, 4), noise(200, 4)
    found = [score(clean + size * error, labels) for size in (0.05, 0.2, 0.5, 1.0, 3.0)]
    assert (np.diff(found) < 0).all()


def test_single_precision_integers_and_tensors_will_do():
    features, labels = noise(50, 4), np.arange(50) % 3
    exact = LogME()(features, labels)
    single = features.astype(np.float32)
    assert LogME()(single, labels.tolist()) == pytest.approx(exact, rel=1e-5)
    assert LogME()(torch.tensor(single, requires_grad=True), torch.tensor(labels)) == LogME()(single, labels)
    assert LogME()(torch.tensor(single).bfloat16(), labels) == pytest.approx(exact, rel=1e-2)
    rounded = (features * 10).round()
    assert LogME()(rounded.astype(np.int8), labels) == LogME()(rounded, labels)


def test_memory_is_linear_in_rows():
    def peak(n):
        features, labels = noise(n, 4), np.arange(n) % 3
        tracemalloc.start()
        LogME()(features, labels)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)  # imports count once
    assert peak(8000) < 2.5 * peak(4000)
