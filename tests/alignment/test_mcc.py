import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.alignment import MinimumClassConfusion
from dareps.errors import ContractError
from tests.alignment._samples import PROPERTY, gradient, normal


@st.composite
def logits(draw, high=20.0):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(2, 5)))
    return torch.tensor(draw(arrays(np.float64, shape, elements=st.floats(-high, high))))


def reference(z, temperature=2.5):
    """The definition, with its class by class matrix."""
    p = (z / temperature).softmax(1)
    entropy = -(p * p.log()).sum(1)
    weight = len(z) * (1 + (-entropy).exp()) / (1 + (-entropy).exp()).sum()
    confusion = p.T @ torch.diag(weight.detach()) @ p
    confusion = confusion / confusion.sum(1, keepdim=True)
    return (confusion.sum() - confusion.trace()) / z.shape[1]


@given(z=logits(), temperature=st.floats(0.5, 5))
@PROPERTY
def test_equals_the_definition(z, temperature):
    found = MinimumClassConfusion(temperature=temperature)(z)
    torch.testing.assert_close(found, reference(z, temperature), rtol=1e-8, atol=1e-10)


@given(z=logits(high=100.0))
@PROPERTY
def test_stays_between_certainty_and_uniformity(z):
    classes = z.shape[1]
    assert 0 <= MinimumClassConfusion()(z).item() <= (classes - 1) / classes + 1e-12


@given(rows=st.integers(1, 6), classes=st.integers(2, 6), level=st.floats(-100, 100))
@PROPERTY
def test_uniform_predictions(rows, classes, level):
    found = MinimumClassConfusion()(torch.full((rows, classes), level, dtype=torch.float64))
    assert found.item() == pytest.approx((classes - 1) / classes, rel=1e-12)


@given(picks=st.lists(st.integers(0, 3), min_size=4, max_size=8))
@PROPERTY
def test_certain_predictions_of_all_classes(picks):
    labels = torch.tensor([0, 1, 2, 3, *picks])
    found = MinimumClassConfusion()(torch.nn.functional.one_hot(labels, 4).double() * 500)
    assert found.item() == pytest.approx(0, abs=1e-12)


@given(z=logits(), data=st.data())
@PROPERTY
def test_names_of_classes_and_a_constant_per_row_do_not_matter(z, data):
    order = data.draw(st.permutations(range(z.shape[1])))
    moved = z[:, order] + torch.arange(len(z), dtype=z.dtype)[:, None]
    torch.testing.assert_close(MinimumClassConfusion()(moved), MinimumClassConfusion()(z), rtol=1e-9, atol=1e-12)


def test_hot_limit_is_uniform():
    found = MinimumClassConfusion(temperature=1e8)(normal(5, 4, 1))
    assert found.item() == pytest.approx(3 / 4, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_class_that_nobody_predicts(dtype):
    z = torch.tensor([[0.0, 0.0, -1e5], [3.0, 0.0, -1e5]], dtype=dtype)
    found, (slope,) = gradient(MinimumClassConfusion(), z)
    assert found.isfinite()
    assert slope.isfinite().all()


def test_gradient_holds_the_weights_fixed():
    z = normal(6, 3, 2)
    torch.testing.assert_close(gradient(MinimumClassConfusion(), z)[1], gradient(reference, z)[1])


def test_narrow_types_and_bad_input():
    z = normal(16, 5, 3) * 4
    wide = MinimumClassConfusion()(z.bfloat16().double()).item()
    assert MinimumClassConfusion()(z.bfloat16()).dtype == torch.bfloat16
    assert MinimumClassConfusion()(z.bfloat16()).item() == pytest.approx(wide, rel=1e-2)
    assert MinimumClassConfusion()(z.float()).item() == pytest.approx(MinimumClassConfusion()(z).item(), rel=1e-4)
    assert MinimumClassConfusion()(z * math.nan).isnan()
    with pytest.raises(ContractError, match="target"):
        MinimumClassConfusion()(z[0])
    assert (MinimumClassConfusion.name, MinimumClassConfusion.reads) == ("mcc", "logits")
