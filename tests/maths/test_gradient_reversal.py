import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.maths.reversal import reverse
from dareps.testing._gates import forbid_host_copies, forbid_host_sync

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True, database=None)
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
matrices = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=numbers)


@given(x=matrices, strength=st.floats(0, 10), as_tensor=st.booleans(), data=st.data())
@PROPERTY
def test_identity_forward_and_exactly_minus_strength_backward(x, strength, as_tensor, data):
    leaf = torch.tensor(x, requires_grad=True)
    gradient = torch.tensor(data.draw(arrays(np.float64, x.shape, elements=numbers)))
    factor = torch.tensor(strength, dtype=torch.float64) if as_tensor else strength
    out = reverse(leaf, factor)
    assert torch.equal(out, leaf)
    (found,) = torch.autograd.grad(out, leaf, gradient)
    assert torch.equal(found, -strength * gradient)


@given(x=matrices, strengths=st.tuples(st.floats(0, 10), st.floats(0, 10)))
@PROPERTY
def test_two_reversals_multiply(x, strengths):
    leaf = torch.tensor(x, requires_grad=True)
    (found,) = torch.autograd.grad(reverse(reverse(leaf, strengths[0]), strengths[1]).sum(), leaf)
    torch.testing.assert_close(found, torch.full_like(leaf, strengths[0] * strengths[1]))


def test_strength_of_zero_gives_exact_zeros_and_never_learns():
    leaf = torch.ones(2, 2, requires_grad=True)
    strength = torch.zeros((), requires_grad=True)
    slope, of_strength = torch.autograd.grad(
        (reverse(leaf, strength) * 1e30).sum(), [leaf, strength], allow_unused=True
    )
    assert not slope.any()
    assert of_strength is None


@given(x=arrays(np.float64, (3, 2, 2), elements=numbers), strengths=arrays(np.float64, 3, elements=st.floats(0, 10)))
@PROPERTY
def test_stacked_copies_have_a_strength_each(x, strengths):
    def slope(rows, strength):
        return torch.func.grad(lambda leaf: (reverse(leaf, strength) ** 2).sum())(rows)

    stacked, factors = torch.tensor(x), torch.tensor(strengths)
    found = torch.vmap(slope)(stacked, factors)
    assert torch.equal(found, torch.stack([slope(*pair) for pair in zip(stacked, factors, strict=True)]))
    torch.testing.assert_close(found, -2 * factors[:, None, None] * stacked)


@pytest.mark.parametrize("strength", [torch.tensor(0.5), torch.tensor(0.5, dtype=torch.float64), 0.5, 1])
def test_any_kind_of_strength_can_be_captured(strength):
    leaf = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    with forbid_host_sync(), forbid_host_copies():
        (found,) = torch.autograd.grad(reverse(leaf, strength).sum(), leaf)
    assert torch.equal(found, torch.full_like(leaf, -float(strength)))


def test_second_derivative_is_reversed_once_more():
    leaf = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad((reverse(leaf, 0.5) ** 3).sum(), leaf, create_graph=True)
    torch.testing.assert_close(first, -0.5 * 3 * leaf.detach() ** 2)
    (second,) = torch.autograd.grad(first.sum(), leaf)
    torch.testing.assert_close(second, 0.25 * 6 * leaf.detach())


def test_plain_gradcheck_must_fail():
    leaf = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert not torch.autograd.gradcheck(lambda x: reverse(x, 0.5).sum(), leaf, raise_exception=False)
