import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dareps.alignment import CORAL, InverseGram
from dareps.errors import ContractError
from dareps.maths.gram import damped_inverse
from dareps.testing import check_alignment
from tests.alignment._samples import PROPERTY, gradient, largest_tensor, normal, pairs


def inverse(rows, damping):
    z = np.concatenate((np.ones((len(rows), 1)), rows.numpy()), axis=1)
    values, basis = np.linalg.eigh(z.T @ z / len(z))
    floor = damping * values.sum()
    return (basis * (values / (values**2 + floor**2))) @ basis.T


def reference(x, y, damping=0.01, scale=0.1):
    p, q = inverse(x, damping), inverse(y, damping)
    sizes = np.linalg.norm(p), np.linalg.norm(q)
    return 1 - (p * q).sum() / math.prod(sizes) + scale * math.log(sizes[0] / sizes[1]) ** 2


@given(sample=pairs(), damping=st.floats(0.01, 1), scale=st.floats(0, 2))
@PROPERTY
def test_equals_the_definition_on_either_side_of_the_switch(sample, damping, scale):
    wide = [torch.cat([rows, rows.flip(1) / 2, rows**2 / 10, rows * 0 + 1], 1) for rows in sample]
    for x, y in (sample, wide):
        found = InverseGram(damping=damping, scale_weight=scale)(x, y).item()
        assert found == pytest.approx(reference(x, y, damping, scale), rel=1e-5, abs=1e-7)


@given(spread=st.floats(0.5, 20), damping=st.floats(0.01, 0.5))
@PROPERTY
def test_of_one_balanced_feature_it_is_known(spread, damping):
    """Rows -s and s have G = diag(1, s^2) and P = diag(1 / (1 + r^2), s^2 / (s^4 + r^2))."""
    rows = torch.tensor([[-spread], [spread]], dtype=torch.float64)
    found, trace = damped_inverse(rows, damping)
    r = damping * (1 + spread**2)
    expected = torch.tensor([1 / (1 + r**2), spread**2 / (spread**4 + r**2)], dtype=torch.float64).diag()
    torch.testing.assert_close(found / trace, expected, rtol=1e-9, atol=1e-9)


def test_without_damping_it_tends_to_the_inverse():
    rows = normal(12, 3, 1)
    z = torch.cat((torch.ones(12, 1), rows), 1).double()
    found, trace = damped_inverse(rows, 1e-7)
    torch.testing.assert_close(found / trace, torch.linalg.inv(z.T @ z / 12), rtol=1e-6, atol=1e-8)


@given(sample=pairs(), turn=st.integers(0, 9))
@PROPERTY
def test_features_may_be_turned(sample, turn):
    x, y = sample
    basis = torch.linalg.qr(normal(x.shape[1], x.shape[1], turn)).Q
    assert InverseGram()(x @ basis, y @ basis).item() == pytest.approx(InverseGram()(x, y).item(), rel=1e-6, abs=1e-7)


def test_the_size_alone_is_seen_by_the_second_term():
    x = normal(30, 3, 2)
    x = x - x.mean(0)
    x = torch.cat((x, -x))
    angle, both = (InverseGram(scale_weight=own)(x, 3 * x).item() for own in (0.0, 1.0))
    assert both > angle > 0
    assert InverseGram()(x, x[torch.arange(59, -1, -1)]).item() == pytest.approx(0, abs=1e-12)


def test_more_features_than_rows_need_an_inverse_of_rows_alone():
    x, y = normal(8, 60, 1), normal(6, 60, 2) * 2
    assert InverseGram()(x, y).item() == pytest.approx(reference(x, y), rel=1e-8)
    largest, _ = largest_tensor(InverseGram(), x, y)
    assert largest <= 61 * 61


@pytest.mark.parametrize("d", [3, 12])
def test_gradient_is_that_of_the_value(d):
    x, y = normal(6, d, 3).requires_grad_(), (normal(5, d, 4) * 2).requires_grad_()
    assert torch.autograd.gradcheck(InverseGram(damping=0.1), (x, y))


@pytest.mark.parametrize("scale", [0.0, 1e-15, 1e6, 1e15])
def test_flat_tiny_and_huge_rows(scale):
    x, y = (normal(6, 4, 8) * scale).float(), (normal(5, 4, 9) * scale).float()
    for pair in ((x, y), (x * 0 + 3, y), (x, x.clone()), (x[:1], y[:1])):
        value, gradients = gradient(InverseGram(), *pair)
        assert value.isfinite()
        assert all(part.isfinite().all() for part in gradients)


def test_descent_brings_the_spreads_together():
    x, y = normal(64, 4, 5) * torch.tensor([1.0, 2.0, 0.5, 1.0]), (normal(64, 4, 6) * 2).requires_grad_()
    before = [loss(x, y).item() for loss in (InverseGram(), CORAL())]
    step = torch.optim.Adam([y], lr=0.05)
    for _ in range(60):
        step.zero_grad()
        InverseGram()(x, y).backward()
        step.step()
    assert InverseGram()(x, y).item() < 0.2 * before[0]
    assert CORAL()(x, y).item() < before[1]


def test_narrow_types_laws_and_bad_input():
    x, y = normal(16, 4, 11).bfloat16(), (normal(12, 4, 12) * 2).bfloat16()
    assert InverseGram()(x, y).item() == pytest.approx(InverseGram()(x.double(), y.double()).item(), rel=1e-2)
    check_alignment(InverseGram(), max_examples=10)
    check_alignment(InverseGram(damping=0.5, scale_weight=0.0), max_examples=10)
    assert InverseGram()(normal(4, 2, 13).fill_(float("nan")), normal(4, 2, 14)).isnan()
    with pytest.raises(ContractError, match="width"):
        InverseGram()(x, y[:, :3])
    for bad in ({"damping": 0.0}, {"damping": 2.0}, {"scale_weight": -1.0}):
        with pytest.raises(ValidationError):
            InverseGram(**bad)
