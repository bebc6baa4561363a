import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dareps.alignment import CORAL, EnergyDistance, HigherOrderMoments, MeanDifference
from dareps.errors import ContractError
from dareps.testing import check_alignment
from tests.alignment._samples import PROPERTY, gradient, largest_tensor, normal, pairs

LOSSES = [MeanDifference(), EnergyDistance(), *(HigherOrderMoments(order=p) for p in (1, 2, 3, 4))]


def mean_distance(x, y):
    return np.mean([[np.linalg.norm(a - b) for b in y.numpy()] for a in x.numpy()])


def energy(x, y):
    return 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)


def moment(rows, order):
    """The whole tensor of moments, by outer products."""
    total = 0
    for row in rows.numpy():
        product = np.ones(())
        for _ in range(order):
            product = np.multiply.outer(product, row)
        total = total + product
    return total / len(rows)


@given(sample=pairs(least=1))
@PROPERTY
def test_mean_difference_equals_the_definition(sample):
    x, y = (part.numpy() for part in sample)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum()
    assert MeanDifference()(*sample).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(sample=pairs(least=1))
@PROPERTY
def test_energy_equals_the_definition(sample):
    reach = max(part.abs().max().item() for part in sample)
    assert EnergyDistance()(*sample).item() == pytest.approx(energy(*sample), rel=1e-7, abs=2e-7 * reach)


@given(
    x=st.lists(st.integers(-20, 20), min_size=1, max_size=6), y=st.lists(st.integers(-20, 20), min_size=1, max_size=6)
)
@PROPERTY
def test_energy_in_one_dimension_is_the_area_between_distribution_functions(x, y):
    grid = np.arange(-21, 21)
    gaps = np.array([np.mean(np.array(x) <= at) - np.mean(np.array(y) <= at) for at in grid])
    found = EnergyDistance()(*(torch.tensor([part], dtype=torch.float64).T for part in (x, y)))
    assert found.item() == pytest.approx(2 * (gaps**2).sum(), rel=1e-7, abs=1e-6)


def test_energy_of_points_and_of_gaussians():
    a, b = torch.zeros(3, 2, dtype=torch.float64), torch.zeros(5, 2, dtype=torch.float64) + torch.tensor([3.0, 4.0])
    assert EnergyDistance()(a, b).item() == pytest.approx(10, rel=1e-9)
    from scipy.special import gamma, hyp1f1
    from scipy.stats import norm

    def expected_norm(delta):
        # One dimension, difference of two standard normals: variance 2.
        return 2**0.5 * 2**0.5 * gamma(1) / gamma(0.5) * hyp1f1(-0.5, 0.5, -(delta**2) / 4)

    rows = torch.tensor(norm.ppf((np.arange(1500) + 0.5) / 1500))[:, None]
    expected = 2 * expected_norm(1.0) - 2 * expected_norm(0.0)
    assert EnergyDistance()(rows, rows + 1).item() == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_energy_of_the_same_rows_is_zero_with_a_gradient_of_zero(dtype):
    x = normal(9, 20, 1, dtype) * 100 + 50
    value, gradients = gradient(EnergyDistance(), x, x.flip(0))
    assert abs(value.item()) < 1e-12 if dtype == torch.float64 else abs(value.item()) < 1e-3
    assert all(part.abs().max() < 1e-2 for part in gradients)


@given(sample=pairs(low=-3.0, high=3.0, least=1), order=st.integers(1, 4))
@PROPERTY
def test_moments_equal_the_whole_tensors(sample, order):
    x, y = sample
    gap = moment(x, order) - moment(y, order)
    expected = (gap**2).sum() / x.shape[1] ** order
    assert HigherOrderMoments(order=order)(x, y).item() == pytest.approx(expected, rel=1e-8, abs=1e-9)


@given(sample=pairs())
@PROPERTY
def test_first_moments_are_the_mean_difference_and_second_ones_of_centred_rows_are_coral(sample):
    x, y = sample
    d = x.shape[1]
    assert HigherOrderMoments(order=1)(x, y).item() == pytest.approx(
        MeanDifference()(x, y).item() / d, rel=1e-8, abs=1e-9
    )
    centred = [part - part.mean(0) for part in sample]
    # Covariances are over n - 1 and moments over n.
    larger = [part * (len(part) / (len(part) - 1)) ** 0.5 for part in centred]
    coral = CORAL()(*centred).item()
    assert HigherOrderMoments(order=2)(*larger).item() == pytest.approx(4 * coral, rel=1e-7, abs=1e-8)


def test_moments_need_no_tensor_of_moments():
    largest, _ = largest_tensor(HigherOrderMoments(), normal(10, 200, 1), normal(8, 200, 2))
    assert largest <= 18 * 200


def test_energy_needs_no_tensor_of_differences():
    largest, _ = largest_tensor(EnergyDistance(), normal(20, 64, 1), normal(30, 64, 2))
    assert largest <= 50 * 64


def test_large_rows_do_not_overflow_before_the_quotient_does():
    x, y = normal(6, 90, 3).float() * 3e5, normal(5, 90, 4).float() * 3e5
    value, gradients = gradient(HigherOrderMoments(), x, y)
    assert value.isfinite()
    assert all(part.isfinite().all() for part in gradients)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_gradient_is_that_of_the_value(loss):
    x, y = normal(5, 3, 5).requires_grad_(), (normal(4, 3, 6) + 0.5).requires_grad_()
    assert torch.autograd.gradcheck(loss, (x, y), eps=1e-5, atol=1e-4)
    assert torch.autograd.gradgradcheck(loss, (x, y), eps=1e-5, atol=1e-3)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@given(sample=pairs(low=-2.0, high=2.0, least=1), copies=st.integers(2, 3))
@PROPERTY
def test_duplicated_rows_change_nothing(loss, sample, copies):
    again = [part.repeat(copies, 1) for part in sample]
    assert loss(*again).item() == pytest.approx(loss(*sample).item(), rel=1e-7, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_narrow_types_bad_input_and_bad_numbers(loss):
    x, y = normal(16, 4, 7).tanh(), (normal(12, 4, 8) + 1).tanh()
    narrow, wide = loss(x.bfloat16(), y.bfloat16()), loss(x.bfloat16().double(), y.bfloat16().double())
    assert narrow.dtype == torch.bfloat16
    assert narrow.item() == pytest.approx(wide.item(), rel=1e-2)
    assert loss(x[:1], y).isfinite()
    for bad, what in ((x[:0], "at least 1"), (x[:, :3], "differ in width"), (x.long(), "floating point")):
        with pytest.raises(ContractError, match=what):
            loss(bad, y)
    assert loss(x.clone().index_fill_(0, torch.tensor([0]), math.nan), y).isnan()


@pytest.mark.parametrize("offset", [0.0, 1e5])
@pytest.mark.parametrize("loss", LOSSES[:2], ids=str)
def test_float32_far_from_zero(loss, offset):
    x, y = (normal(32, 20, 9) + offset).float(), (normal(24, 20, 10) * 1.5 + 0.3 + offset).float()
    assert loss(x, y).item() == pytest.approx(loss(x.double(), y.double()).item(), rel=1e-3)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_other_orders_keep_the_laws_they_claim(order):
    check_alignment(HigherOrderMoments(order=order), max_examples=10)


def test_bad_orders():
    for order in (0, 5, 2.5):
        with pytest.raises(ValidationError):
            HigherOrderMoments(order=order)
