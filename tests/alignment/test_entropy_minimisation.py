import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import entropy

from dareps.alignment import EntropyMinimisation, InformationMaximisation
from dareps.errors import ContractError
from dareps.testing import check_alignment
from tests.alignment._samples import PROPERTY, gradient, normal
from tests.alignment._steps import fits_into_a_step


@st.composite
def logits(draw, high=30.0):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(2, 5)))
    return torch.tensor(draw(arrays(np.float64, shape, elements=st.floats(-high, high, allow_subnormal=False))))


def certain(*labels, classes=4):
    return 500 * torch.nn.functional.one_hot(torch.tensor(labels), classes).double()


def mean_entropy(p):
    return sum(entropy(row) for row in p) / len(p)


@given(z=logits())
@PROPERTY
def test_entropy_equals_the_definition(z):
    expected = mean_entropy(softmax(z.numpy(), axis=1))
    assert EntropyMinimisation()(z).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(z=logits(), diversity=st.floats(0, 3))
@PROPERTY
def test_information_equals_the_definition(z, diversity):
    p = softmax(z.numpy(), axis=1)
    expected = mean_entropy(p) - diversity * entropy(p.mean(0))
    assert InformationMaximisation(diversity=diversity)(z).item() == pytest.approx(expected, rel=1e-9, abs=1e-11)


@given(z=logits(high=300.0))
@PROPERTY
def test_both_stay_in_their_bounds(z):
    top = math.log(z.shape[1])
    assert 0 <= EntropyMinimisation()(z).item() <= top + 1e-12
    assert -top - 1e-12 <= InformationMaximisation()(z).item() <= 1e-12


@given(rows=st.integers(1, 6), classes=st.integers(2, 6), level=st.floats(-100, 100))
@PROPERTY
def test_uniform_predictions(rows, classes, level):
    z = torch.full((rows, classes), level, dtype=torch.float64)
    assert EntropyMinimisation()(z).item() == pytest.approx(math.log(classes), rel=1e-12)
    assert InformationMaximisation()(z).item() == pytest.approx(0, abs=1e-12)


def test_certain_predictions():
    balanced, collapsed = certain(0, 1, 2, 3, 3, 2, 1, 0), certain(2, 2, 2)
    assert EntropyMinimisation()(balanced).item() == pytest.approx(0, abs=1e-12)
    assert EntropyMinimisation()(collapsed).item() == pytest.approx(0, abs=1e-12)
    assert InformationMaximisation()(balanced).item() == pytest.approx(-math.log(4), rel=1e-12)
    assert InformationMaximisation()(collapsed).item() == pytest.approx(0, abs=1e-12)


@given(z=logits())
@PROPERTY
def test_without_diversity_it_is_the_entropy(z):
    torch.testing.assert_close(InformationMaximisation(diversity=0)(z), EntropyMinimisation()(z), rtol=0, atol=0)


@given(row=logits(), copies=st.integers(1, 4))
@PROPERTY
def test_rows_predicted_alike_carry_no_information(row, copies):
    assert InformationMaximisation()(row[:1].repeat(copies, 1)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", [EntropyMinimisation(), InformationMaximisation()], ids=lambda loss: loss.name)
@given(z=logits(), data=st.data())
@PROPERTY
def test_names_of_classes_repeated_rows_and_a_constant_per_row_do_not_matter(loss, z, data):
    order = data.draw(st.permutations(range(z.shape[1])))
    moved = (z[:, order] + torch.arange(len(z), dtype=z.dtype)[:, None]).repeat(2, 1)
    torch.testing.assert_close(loss(moved), loss(z), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", [EntropyMinimisation(), InformationMaximisation(diversity=0.7)], ids=str)
def test_gradient_is_that_of_the_value(loss):
    z = normal(5, 3, 1).mul(2).requires_grad_()
    assert torch.autograd.gradcheck(loss, z)
    assert torch.autograd.gradgradcheck(loss, z)
    fits_into_a_step(loss, z.detach())


@pytest.mark.parametrize("loss", [EntropyMinimisation(), InformationMaximisation()], ids=lambda loss: loss.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_logits_and_classes_ruled_out_keep_value_and_gradient_finite(loss, dtype):
    huge = torch.tensor([[3e38, -3e38, 0.0], [0.0, 3e38, -3e38]], dtype=dtype)
    ruled_out = torch.tensor([[0.0, 1.0, -math.inf], [2.0, 0.0, -math.inf]], dtype=dtype)
    for z in (huge, ruled_out):
        value, (slope,) = gradient(loss, z)
        assert value.isfinite()
        assert slope.isfinite().all()
    torch.testing.assert_close(loss(ruled_out), loss(ruled_out[:, :2]))
    assert loss(torch.full((2, 3), math.nan, dtype=dtype)).isnan()


@pytest.mark.parametrize("loss", [EntropyMinimisation(), InformationMaximisation()], ids=lambda loss: loss.name)
def test_narrow_types_and_bad_input(loss):
    z = normal(16, 5, 3) * 2
    assert loss(z.bfloat16()).dtype == torch.bfloat16
    assert loss(z.bfloat16()).item() == pytest.approx(loss(z.bfloat16().double()).item(), rel=1e-2)
    assert loss(z.float()).item() == pytest.approx(loss(z).item(), rel=1e-4)
    for bad in (z[0], z[:0], z[:, :0], z.long()):
        with pytest.raises(ContractError, match="target"):
            loss(bad)


def test_other_settings_keep_their_laws():
    check_alignment(InformationMaximisation(diversity=0.3), max_examples=10)
