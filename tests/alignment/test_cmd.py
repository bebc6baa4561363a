import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dareps.alignment import CMD
from tests.alignment._samples import PROPERTY, gradient, normal, pairs


def rows(*values):
    return torch.tensor([values], dtype=torch.float64).T


def reference(x, y, order=5, low=0.0, high=1.0):
    x, y = x.numpy(), y.numpy()
    total = np.linalg.norm(x.mean(0) - y.mean(0)) / (high - low)
    for k in range(2, order + 1):
        gap = ((x - x.mean(0)) ** k).mean(0) - ((y - y.mean(0)) ** k).mean(0)
        total += np.linalg.norm(gap) / (high - low) ** k
    return total


unit = pairs(low=0.0, high=1.0, least=1)


@given(sample=unit, order=st.integers(1, 7))
@PROPERTY
def test_equals_the_definition(sample, order):
    found = CMD(moments=order)(*sample).item()
    assert found == pytest.approx(reference(*sample, order), rel=1e-9, abs=1e-12)


def test_two_points_against_their_middle():
    assert CMD()(rows(0, 1), rows(0.5, 0.5)).item() == pytest.approx(0.3125, rel=1e-12)


@pytest.mark.parametrize("d", [1, 9])
def test_uniform_against_its_middle(d):
    middle_points = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    found = CMD()(middle_points[:, None].expand(-1, d), torch.full((3, d), 0.5, dtype=torch.float64))
    assert found.item() == pytest.approx(d**0.5 * (1 / 12 + 1 / 80), rel=1e-6)


@given(ones=st.integers(0, 8), zeros=st.integers(1, 8))
@PROPERTY
def test_bernoulli_against_a_point_at_its_mean(ones, zeros):
    p = ones / (ones + zeros)
    sample = torch.tensor([[1.0]] * ones + [[0.0]] * zeros, dtype=torch.float64)
    expected = sum(abs(p * (1 - p) ** k + (1 - p) * (-p) ** k) for k in range(2, 6))
    assert CMD()(sample, rows(p)).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(sample=unit, low=st.floats(-5, 5), width=st.floats(0.1, 10))
@PROPERTY
def test_support_takes_its_scale_out(sample, low, width):
    stretched = [part * width + low for part in sample]
    found = CMD(low=low, high=low + width)(*stretched).item()
    assert found == pytest.approx(CMD()(*sample).item(), rel=1e-6, abs=1e-7)


@given(sample=unit, shift=st.floats(-1, 1))
@PROPERTY
def test_shift_of_one_side_changes_the_mean_alone(sample, shift):
    x, _ = sample
    assert CMD()(x, x + shift).item() == pytest.approx(abs(shift) * x.shape[1] ** 0.5, rel=1e-6, abs=1e-9)


@given(sample=unit)
@PROPERTY
def test_more_moments_never_lower_it_and_each_stays_below_its_bound(sample):
    values = [CMD(moments=order)(*sample).item() for order in range(1, 7)]
    width = sample[0].shape[1] ** 0.5
    for k, (before, after) in enumerate(pairwise(values), start=2):
        bound = 2 * (1 / (k + 1) * (k / (k + 1)) ** k + 2.0 ** -(k + 1)) * width
        assert -1e-12 <= after - before <= bound + 1e-12


@given(sample=unit, copies=st.integers(2, 3))
@PROPERTY
def test_duplicated_rows_change_nothing(sample, copies):
    again = [part.repeat(copies, 1) for part in sample]
    assert CMD()(*again).item() == pytest.approx(CMD()(*sample).item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_gradient_is_zero_where_all_moments_match(value):
    for x in (torch.full((4, 3), value, dtype=torch.float64), normal(4, 3, 1)):
        found, gradients = gradient(CMD(), x, x.clone())
        assert found.item() == 0
        assert not any(part.any() for part in gradients)


def test_gradient_is_that_of_the_value():
    x, y = normal(5, 3, 2).sigmoid().requires_grad_(), (normal(4, 3, 3) + 1).sigmoid().requires_grad_()
    for loss in (CMD(), CMD(moments=3, low=-1, high=2)):
        assert torch.autograd.gradcheck(loss, (x, y), check_forward_ad=True)
        assert torch.autograd.gradgradcheck(loss, (x, y))


def test_moments_far_outside_the_support_do_not_overflow_in_their_norm():
    x, y = normal(6, 3, 4).float() * 1e5, normal(6, 3, 5).float() * 2e5
    value, gradients = gradient(CMD(), x, y)
    assert value.isfinite()
    assert all(part.isfinite().all() for part in gradients)
    assert value.item() == pytest.approx(reference(x.double(), y.double()), rel=1e-4)


def test_narrow_types():
    x, y = normal(16, 4, 6).sigmoid().bfloat16(), (normal(12, 4, 7) + 1).sigmoid().bfloat16()
    wide = CMD()(x.double(), y.double()).item()
    assert CMD()(x, y).dtype == torch.bfloat16
    assert CMD()(x, y).item() == pytest.approx(wide, rel=1e-2)
    assert CMD()(x.float(), y.float()).item() == pytest.approx(wide, rel=1e-4)


def test_bad_settings_and_numbers():
    with pytest.raises(ValidationError, match="high must exceed low"):
        CMD(low=1.0, high=1.0)
    with pytest.raises(ValidationError):
        CMD(moments=0)
    assert CMD()(rows(0, math.nan), rows(0.5)).isnan()
    assert not CMD()(rows(0, math.inf), rows(0.5)).isfinite()
