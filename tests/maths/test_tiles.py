"""Losses in tiles equal those on whole matrices, value and gradient, and their memory stays linear in the rows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dareps.alignment import ClassAlignment, HigherOrderMoments, SinkhornDivergence
from dareps.errors import ContractError
from dareps.maths.inner_powers import power_gap
from dareps.maths.tiled_transport import WHOLE, tiled_sinkhorn
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from tests.alignment._samples import PROPERTY, gradient, largest_tensor, normal, pairs


def same(found, expected):
    for each in zip((found[0], *found[1]), (expected[0], *expected[1]), strict=True):
        torch.testing.assert_close(*each, rtol=1e-10, atol=1e-10)


@given(
    sample=pairs(least=1, most=6),
    epsilon=st.sampled_from([0.05, 0.5, 3.0]),
    relative=st.booleans(),
    iterations=st.sampled_from([20, 21, 50]),
    tile=st.integers(1, 40),
)
@settings(PROPERTY, max_examples=25)
def test_tiled_transport_of_any_tile(sample, epsilon, relative, iterations, tile):
    # Equal rows at distances that are all rounding have no digits to compare.
    rounded = [side.round(decimals=3) for side in sample]
    whole = SinkhornDivergence(epsilon=epsilon, relative=relative, iterations=iterations)
    found = gradient(lambda x, y: tiled_sinkhorn(x, y, epsilon, relative, iterations, tile), *rounded)
    expected = gradient(whole, *rounded)
    scale = float(torch.cat(rounded).square().sum(1).max()) + 1
    torch.testing.assert_close(found[0] / scale, expected[0] / scale, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found[1], expected[1], rtol=1e-8, atol=1e-10 * scale**0.5)


def test_tiled_transport_without_a_gradient_and_of_collapsed_rows():
    x, y = normal(9, 3, 1), normal(7, 3, 2)
    with torch.no_grad():
        value = tiled_sinkhorn(x, y, 0.05, True, 20, 8)
    torch.testing.assert_close(value, SinkhornDivergence(iterations=20)(x, y), rtol=1e-10, atol=1e-12)
    value, slopes = gradient(lambda x, y: tiled_sinkhorn(x, y, 0.05, True, 20, 8), x * 0, y * 0)
    assert abs(value) < 1e-300
    assert not any(slope.any() for slope in slopes)


@given(sample=pairs(low=-3.0, high=3.0, least=1, most=6), order=st.integers(1, 4), tile=st.integers(1, 7))
@PROPERTY
def test_tiled_moments_of_any_tile(sample, order, tile):
    found = gradient(lambda x, y: power_gap(x, y, order, tile), *sample)
    expected = gradient(lambda x, y: moments(x, y, order), *sample)
    same(found, expected)


def moments(x, y, order):
    """The definition on whole Gram matrices."""
    d = x.shape[1]
    xx, yy, xy = ((a @ b.T / d) ** order for a, b in ((x, x), (y, y), (x, y)))
    return xx.mean() + yy.mean() - 2 * xy.mean()


TILED = {
    "sinkhorn": lambda x, y: tiled_sinkhorn(x, y, 0.05, True, 20, 8),
    "moments": lambda x, y: power_gap(x, y, 3, 3),
}
WHOLES = {"sinkhorn": SinkhornDivergence(iterations=20), "moments": HigherOrderMoments()}


@pytest.mark.parametrize("name", TILED)
def test_stacks_and_directional_derivatives(name):
    x, y = (torch.stack([normal(5, 3, key + shift) for key in range(3)]) for shift in (0, 9))
    for of in (
        lambda f: torch.vmap(f)(x, y),
        lambda f: torch.vmap(torch.func.grad(f))(x, y),
        lambda f: torch.func.grad(lambda x: torch.vmap(f)(x, y).sum())(x),
    ):
        torch.testing.assert_close(of(TILED[name]), of(WHOLES[name]), rtol=1e-9, atol=1e-11)
    slope = torch.func.grad(TILED[name])(x[0], y[0])
    _, found = torch.func.jvp(lambda x: TILED[name](x, y[0]), (x[0],), (x[1],))
    torch.testing.assert_close(found, (slope * x[1]).sum(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", TILED)
def test_second_derivatives_are_refused_and_steps_can_be_captured(name):
    x, y = normal(5, 3, 1).requires_grad_(), normal(4, 3, 2)
    (slope,) = torch.autograd.grad(TILED[name](x, y), x, create_graph=True)
    with pytest.raises(ContractError, match="differentiated twice"):
        slope.sum().backward()
    with forbid_host_sync(), forbid_host_copies():
        TILED[name](x, y).backward()


@pytest.mark.parametrize("name", TILED)
def test_a_bad_number_stays_visible(name):
    x = normal(5, 3, 1)
    x[2, 1] = float("nan")
    assert TILED[name](x, normal(4, 3, 2)).isnan()


def test_no_tensor_is_quadratic_in_the_rows():
    labels, logits = torch.arange(1200) % 3, normal(1200, 3, 5)
    for loss in (HigherOrderMoments(), lambda x, y: ClassAlignment()(x, y, labels, logits)):
        largest, _ = largest_tensor(loss, normal(1200, 2, 1), normal(1200, 2, 2))
        assert largest <= 1 << 16
    rows = normal(WHOLE // 2 + 1, 2, 3, torch.float32)
    largest, _ = largest_tensor(SinkhornDivergence(iterations=20), rows, rows + 1)
    assert largest <= 1 << 19


@pytest.mark.parametrize("order", [1, 3])
def test_few_rows_can_be_differentiated_twice_in_and_out_of_a_transform(order):
    x, y = normal(4, 2, 1), normal(3, 2, 2)
    whole = torch.func.hessian(lambda x: moments(x, y, order))(x)
    loss = HigherOrderMoments(order=order)
    for found in (
        torch.func.hessian(lambda x: loss(x, y))(x),
        torch.autograd.functional.hessian(lambda x: loss(x, y), x),
    ):
        torch.testing.assert_close(found, whole, rtol=1e-9, atol=1e-12)


def test_the_plan_of_whole_matrices_moves_rows_as_it_does_in_tiles_in_float32():
    x, y = (normal(40, 6, key, torch.float32) for key in (1, 2))
    wide = gradient(SinkhornDivergence(), x.double(), y.double())
    value, slopes = gradient(lambda x, y: tiled_sinkhorn(x, y, 0.05, True, 50, 100), x, y)
    assert value.item() == pytest.approx(wide[0].item(), rel=1e-4)
    for narrow, exact in zip(slopes, wide[1], strict=True):
        np.testing.assert_allclose(narrow.numpy(), exact.numpy(), rtol=1e-3, atol=1e-5)
