import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from dareps.alignment import MMD
from dareps.errors import ContractError
from tests.alignment._samples import PROPERTY, gradient, largest_tensor, normal, pairs

FACTORS = [2.0**i for i in range(-2, 3)]


def reference(x, y, estimator="biased", bandwidth="mean"):
    """The definition, with loops over rows."""
    x, y = x.numpy(), y.numpy()
    rows = np.concatenate((x, y))
    size = len(rows)
    gaps = [((rows[i] - rows[j]) ** 2).sum() for i in range(size) for j in range(i + 1, size)]
    if bandwidth == "mean":
        bandwidth = np.mean(gaps)
    elif bandwidth == "median":
        bandwidth = sorted(gaps)[(len(gaps) - 1) // 2]
    if bandwidth == 0:
        return 0.0

    def k(a, b):
        return sum(math.exp(-((a - b) ** 2).sum() / (factor * bandwidth)) for factor in FACTORS)

    n, m = len(x), len(y)
    if estimator == "linear":
        ends = range(0, min(n, m) // 2 * 2, 2)
        terms = [k(x[i], x[i + 1]) + k(y[i], y[i + 1]) - k(x[i], y[i + 1]) - k(x[i + 1], y[i]) for i in ends]
        return np.mean(terms)
    cross = sum(k(a, b) for a in x for b in y) * 2 / (n * m)
    if estimator == "biased":
        return sum(k(a, b) for a in x for b in x) / n**2 + sum(k(a, b) for a in y for b in y) / m**2 - cross
    same = [
        sum(k(side[i], side[j]) for i in range(len(side)) for j in range(len(side)) if i != j)
        / (len(side) * (len(side) - 1))
        for side in (x, y)
    ]
    return sum(same) - cross


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
@pytest.mark.parametrize("bandwidth", ["mean", "median", 30.0])
@given(sample=pairs())
@PROPERTY
def test_equals_the_definition(estimator, bandwidth, sample):
    rows = torch.cat(sample)
    gaps = torch.pdist(rows)
    # Near 0 the median loses digits to the Gram form, and at 0 it has a test of its own.
    assume(bandwidth != "median" or gaps.median() == 0 or gaps.median() > 1e-2 * gaps.max())
    assume(gaps.max() == 0 or gaps.max() > 1e-150)
    found = MMD(estimator=estimator, bandwidth=bandwidth)(*sample)
    assert found.item() == pytest.approx(reference(*sample, estimator, bandwidth), rel=1e-9, abs=1e-11)


@given(sample=pairs())
@PROPERTY
def test_biased_is_unbiased_plus_the_diagonals(sample):
    x, y = sample
    biased, unbiased = (MMD(estimator=estimator, bandwidth=5.0)(x, y) for estimator in ("biased", "unbiased"))
    off = []
    for side in sample:
        kernel = sum((-(torch.cdist(side, side) ** 2) / (factor * 5.0)).exp() for factor in FACTORS)
        n = len(side)
        off.append((5 - (kernel.sum() - kernel.trace()) / (n * (n - 1))) / n)
    torch.testing.assert_close(biased, unbiased + sum(off), rtol=1e-9, atol=1e-11)


@given(distance=st.floats(0.01, 20), bandwidth=st.floats(0.1, 50))
@PROPERTY
def test_point_masses(distance, bandwidth):
    x, y = torch.zeros(3, 1, dtype=torch.float64), torch.full((2, 1), distance, dtype=torch.float64)
    expected = sum(2 * (1 - math.exp(-(distance**2) / (factor * bandwidth))) for factor in FACTORS)
    assert MMD(bandwidth=bandwidth)(x, y).item() == pytest.approx(expected, rel=1e-10)


def test_single_rows_have_a_value_that_is_free_of_scale():
    expected = sum(2 * (1 - math.exp(-1 / factor)) for factor in FACTORS)
    assert MMD()(torch.zeros(1, 2), torch.full((1, 2), 7.0)).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("estimator", ["unbiased", "linear"])
def test_gaussians_with_a_fixed_bandwidth(estimator):
    variance, shift, bandwidth, d = 1.5, 1.0, 3.0, 2
    population = sum(
        2 * (1 + 4 * variance / s) ** (-d / 2) * (1 - math.exp(-(shift**2) / (4 * variance + s)))
        for s in (factor * bandwidth for factor in FACTORS)
    )
    loss = MMD(estimator=estimator, bandwidth=bandwidth)
    values = []
    for trial in range(60):
        x, y = normal(120, d, 2 * trial) * variance**0.5, normal(90, d, 2 * trial + 1) * variance**0.5
        y[:, 0] += shift
        values.append(loss(x, y).item())
    error = np.std(values, ddof=1) / len(values) ** 0.5
    assert abs(np.mean(values) - population) < 5 * error
    assert error < 0.15 * population


@pytest.mark.parametrize("bandwidth", ["mean", "median"])
@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e6, 1e-9])
@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bandwidth_of_zero_gives_exactly_zero(bandwidth, value, estimator, dtype):
    x, y = torch.full((3, 4), value, dtype=dtype), torch.full((5, 4), value, dtype=dtype)
    found, gradients = gradient(MMD(estimator=estimator, bandwidth=bandwidth), x, y)
    assert found.item() == 0
    assert all(torch.equal(part, torch.zeros_like(part)) for part in gradients)


def test_median_of_zero_gives_zero_although_the_mean_is_not():
    x, y = torch.zeros(6, 2, dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    found, gradients = gradient(MMD(bandwidth="median"), x, y)
    assert found.item() == 0
    assert not any(part.any() for part in gradients)
    assert MMD()(x, y).item() > 1


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
@pytest.mark.parametrize("bandwidth", ["mean", "median"])
def test_bandwidth_carries_no_gradient(estimator, bandwidth):
    x, y = normal(6, 3, 1), normal(4, 3, 2) + 1
    gaps = torch.pdist(torch.cat((x, y))) ** 2
    fixed = MMD(estimator=estimator, bandwidth=(gaps.mean() if bandwidth == "mean" else gaps.median()).item())
    adaptive = MMD(estimator=estimator, bandwidth=bandwidth)
    for first, second in zip(gradient(adaptive, x, y)[1], gradient(fixed, x, y)[1], strict=True):
        torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
def test_gradient_is_that_of_the_value(estimator):
    x, y = normal(5, 3, 3).requires_grad_(), (normal(4, 3, 4) + 0.5).requires_grad_()
    loss = MMD(estimator=estimator, bandwidth=4.0)
    assert torch.autograd.gradcheck(loss, (x, y))
    assert torch.autograd.gradgradcheck(loss, (x, y))


def test_gram_form_keeps_memory_quadratic_and_one_exponential():
    x, y = normal(20, 64, 5), normal(30, 64, 6)
    largest, calls = largest_tensor(MMD(), x, y)
    assert largest <= 50 * 64
    assert calls.count("exp") + calls.count("exp_") == 1


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_float32_follows_float64(offset):
    x, y = (normal(32, 20, 7) + offset).float(), (normal(24, 20, 8) * 1.5 + 0.3 + offset).float()
    wide = MMD()(x.double(), y.double()).item()
    assert MMD()(x, y).item() == pytest.approx(wide, rel=1e-4)


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
def test_bfloat16_is_computed_in_float32(estimator):
    x, y = normal(32, 20, 9).bfloat16(), (normal(24, 20, 10) + 0.5).bfloat16()
    loss = MMD(estimator=estimator)
    value, gradients = gradient(loss, x, y)
    wide, wide_gradients = gradient(loss, x.float(), y.float())
    assert value.dtype == torch.bfloat16
    assert torch.equal(value, wide.bfloat16())
    for narrow, exact in zip(gradients, wide_gradients, strict=True):
        torch.testing.assert_close(narrow.float(), exact, rtol=2e-2, atol=1e-5)


def test_autocast_changes_nothing():
    x, y = normal(32, 20, 11).float() + 100, normal(24, 20, 12).float() + 100.5
    with torch.autocast("cpu", torch.bfloat16):
        inside = MMD()(x, y)
    assert torch.equal(inside, MMD()(x, y))


@pytest.mark.parametrize(
    ("x", "y", "what"),
    [
        ((3, 2), (3, 4), "differ in width"),
        ((0, 2), (3, 2), "source needs at least 1"),
        ((3,), (3,), "must be"),
        ((3, 2), (3, 2, 1), "target must be"),
        ((3, 0), (3, 0), "must be"),
    ],
)
def test_bad_shapes_are_refused(x, y, what):
    with pytest.raises(ContractError, match=what):
        MMD()(torch.zeros(x), torch.zeros(y))


def test_bad_dtype_and_too_few_rows_are_refused():
    with pytest.raises(ContractError, match="floating point"):
        MMD()(torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2, 2))
    with pytest.raises(ContractError, match="at least 2"):
        MMD(estimator="unbiased")(torch.zeros(1, 2), torch.zeros(4, 2))


@pytest.mark.parametrize("settings", [{"bandwidth": 0}, {"bandwidth": -1.0}, {"bandwidth": "max"}, {"estimator": "x"}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        MMD(**settings)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_bad_numbers_stay_visible(bad):
    x = normal(4, 2, 13)
    x[1, 1] = bad
    assert not MMD()(x, normal(4, 2, 14)).isfinite()
