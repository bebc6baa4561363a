import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.alignment import FeatureNorm
from dareps.errors import ContractError
from dareps.testing import check_alignment
from tests.alignment._samples import PROPERTY, gradient, normal, pairs
from tests.alignment._steps import fits_into_a_step

HARD = FeatureNorm(variant="hard")


def mean_norm(rows):
    return sum(math.hypot(*row) for row in rows.tolist()) / len(rows)


@given(sample=pairs(least=1), radius=st.floats(0.1, 50))
@PROPERTY
def test_hard_equals_the_definition(sample, radius):
    expected = sum((mean_norm(rows) - radius) ** 2 for rows in sample)
    found = FeatureNorm(variant="hard", radius=radius)(*sample)
    assert found.item() == pytest.approx(expected, rel=1e-10, abs=1e-12)


@given(sample=pairs(low=1.0, least=1), increment=st.floats(0.1, 5))
@PROPERTY
def test_stepwise_has_a_constant_value_and_pushes_every_row_outwards_alike(sample, increment):
    value, slopes = gradient(FeatureNorm(increment=increment), *sample)
    assert value.item() == pytest.approx(increment**2, rel=1e-12)
    rows = sum(map(len, sample))
    for side, slope in zip(sample, slopes, strict=True):
        for h, found in zip(side, slope, strict=True):
            torch.testing.assert_close(found, -2 * increment * h / math.hypot(*h.tolist()) / rows)


def test_stepwise_makes_norms_grow_by_the_same_amount():
    x, y = normal(4, 3, 1), 100 * normal(5, 3, 2)
    _, slopes = gradient(FeatureNorm(), x, y)
    grown = [(rows - slope).norm(dim=1) - rows.norm(dim=1) for rows, slope in zip((x, y), slopes, strict=True)]
    torch.testing.assert_close(torch.cat(grown), torch.full((9,), 2 / 9, dtype=torch.float64))


def test_hard_is_0_on_the_sphere_of_its_radius():
    sphere = 25 * torch.nn.functional.normalize(normal(6, 3, 3))
    value, slopes = gradient(HARD, sphere[:2], sphere[2:])
    assert value.item() == pytest.approx(0, abs=1e-24)
    assert max(slope.abs().max() for slope in slopes) < 1e-12


def test_hard_wants_norms_of_its_radius_in_the_mean_alone():
    x = torch.tensor([[20.0, 0.0], [0.0, 30.0]], dtype=torch.float64)
    assert HARD(x, x).item() == pytest.approx(0, abs=1e-24)


@pytest.mark.parametrize("loss", [FeatureNorm(), HARD], ids=lambda loss: loss.variant)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_vectors_get_no_gradient_and_others_theirs(loss, dtype):
    x = torch.zeros(3, 2, dtype=dtype)
    value, slopes = gradient(loss, x, torch.cat((x, x[:1] + 1)))
    assert value.isfinite()
    assert not slopes[0].any()
    assert slopes[1].isfinite().all()
    assert slopes[1].any(1).tolist() == [False, False, False, True]


def test_gradient_is_that_of_the_value():
    x, y = normal(4, 3, 4), normal(5, 3, 5) * 2
    assert torch.autograd.gradcheck(HARD, (x.clone().requires_grad_(), y.clone().requires_grad_()))
    fits_into_a_step(HARD, x, y, moving=2)
    fits_into_a_step(FeatureNorm(), x, y, moving=2)


@pytest.mark.parametrize("loss", [FeatureNorm(), HARD], ids=lambda loss: loss.variant)
def test_narrow_types_and_bad_input(loss):
    x, y = normal(16, 5, 6), normal(9, 5, 7)
    assert loss(x.bfloat16(), y.bfloat16()).dtype == torch.bfloat16
    assert loss(x.bfloat16(), y.bfloat16()).item() == pytest.approx(loss(x, y).item(), rel=1e-2)
    assert loss(x.float(), y.float()).item() == pytest.approx(loss(x, y).item(), rel=1e-5)
    assert loss(x * math.nan, y).isnan()
    for bad in (x[:0], x[:, :4], x.long(), x[0]):
        with pytest.raises(ContractError, match="source"):
            loss(bad, y)


@pytest.mark.parametrize("loss", [HARD, FeatureNorm(variant="hard", radius=500.0), FeatureNorm(increment=0.3)], ids=str)
def test_other_settings_keep_their_laws(loss):
    check_alignment(loss, max_examples=10)
