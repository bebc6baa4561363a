"""Kernel sums in tiles equal those in one piece, with all derivatives that they offer and none that they do not."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.autograd import forward_ad

from dareps.errors import ContractError
from dareps.maths.eager import Eager
from dareps.maths.kernels import DISTANCE, MULTI_KERNELS, gaussian, unit_rows
from dareps.maths.pairs import UNTILED, pair_sum
from dareps.testing._gates import forbid_host_copies, forbid_host_sync

KERNELS = {**MULTI_KERNELS, "distance": DISTANCE, "one gaussian": gaussian(0)}
PROPERTY = settings(max_examples=25, deadline=None, derandomize=True, database=None)


@st.composite
def tables(draw, least=1, most=9):
    """Rows, as float64, and two columns of weights with them; some rows are equal."""
    n, d = draw(st.integers(least, most)), draw(st.integers(1, 3))
    rows = draw(arrays(np.float64, (n, d), elements=st.floats(-4, 4, allow_subnormal=False)))
    # Roots of distances that are all rounding have no digits to compare.
    rows = np.round(rows, 3)
    weights = draw(arrays(np.float64, (n, 2), elements=st.floats(-1, 1, allow_subnormal=False)))
    return torch.tensor(rows - rows.mean(0)), torch.tensor(weights)


def fixed(n, d, key=0):
    return torch.tensor(np.random.Generator(np.random.Philox(key=key)).standard_normal((n, d)))


def slow(layers, kernels, left, right):
    """The definition: a loop over pairs of rows, distances by differences."""
    total = 0.0
    for i in range(len(left)):
        for j in range(len(left)):
            product = peak = 1.0
            for rows, kernel in zip(layers, kernels, strict=True):
                product = product * kernel.value((rows[i] - rows[j]).square().sum(), 1.0)
                peak = peak * kernel.value(torch.zeros((), dtype=rows.dtype), 1.0)
            total = total + left[i] @ right[j] * (product - peak)
    return total


def slopes(layers, *others):
    leaves = [rows.clone().requires_grad_() for rows in layers]
    value = pair_sum(leaves, *others)
    return value, torch.autograd.grad(value, leaves)


@pytest.mark.parametrize("kernel", KERNELS)
@given(table=tables(), other=st.integers(1, 2), tile=st.integers(1, 11), data=st.data())
@PROPERTY
def test_tiles_of_any_size_give_the_same_value_and_gradient(kernel, table, other, tile, data):
    rows, left = table
    # Distances below the rounding of the Gram form are clamped, and the one piece then drops their share of 1e-9.
    more = torch.tensor(np.round(data.draw(arrays(np.float64, (len(rows), other), elements=st.floats(-2, 2))), 3))
    right = left * torch.tensor([1.0, -0.5], dtype=torch.float64)
    for layers, kernels in (
        ([rows], [KERNELS[kernel]]),
        ([rows, more - more.mean(0)], [KERNELS[kernel], gaussian(1)]),
    ):
        whole, expected = slopes(layers, kernels, left, right)
        value, found = slopes(layers, kernels, left, right, tile)
        torch.testing.assert_close(value, whole, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        with torch.no_grad():
            torch.testing.assert_close(pair_sum(layers, kernels, left, right, tile), whole, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kernel", KERNELS)
@given(table=tables(most=5), tile=st.sampled_from([None, 2]))
@PROPERTY
def test_equals_the_definition(kernel, table, tile):
    rows, left = table
    found = pair_sum([rows, rows / 2], [KERNELS[kernel], gaussian(0)], left, left, tile)
    expected = slow([rows, rows / 2], [KERNELS[kernel], gaussian(0)], left, left)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_above_the_threshold_the_tiles_are_chosen_by_size(kernel):
    rows, left = fixed(UNTILED + 1, 3), fixed(UNTILED + 1, 1, key=1) / UNTILED
    value, found = slopes([rows], [KERNELS[kernel]], left, left)
    whole, expected = slopes([rows], [KERNELS[kernel]], left, left, UNTILED + 1)
    torch.testing.assert_close(value, whole, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradient_is_that_of_the_value(kernel):
    rows, left = fixed(7, 3).requires_grad_(), fixed(7, 2, key=1)
    loss = lambda rows: pair_sum([rows], [KERNELS[kernel]], left, left, 3)  # noqa: E731
    assert torch.autograd.gradcheck(loss, (rows,), check_forward_ad=True)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_rows_are_as_near_as_a_row_to_itself(kernel, dtype):
    row = fixed(1, 40).to(dtype) * 30
    rows = torch.cat((row, row, -row, -row))
    weights = torch.tensor([[0.5], [-0.5], [0.5], [-0.5]], dtype=dtype)
    # A few roundings of |x|^2, which cancels in a distance and which products of some machines round by place; a root
    # of one would be a thousand times more.
    rounding = 32 * torch.finfo(dtype).eps * max(1.0, float(row.square().sum()) / 900)
    for tile in (None, 3):
        value, (slope,) = slopes([unit_rows(rows, 900.0)], [KERNELS[kernel]], weights, weights, tile)
        assert abs(value.item()) <= rounding
        assert slope.isfinite().all()


STACK = torch.stack([fixed(7, 3, key) for key in range(3)])
WEIGHTS = fixed(7, 2, key=9)


def tiled(rows):
    return pair_sum([rows], [gaussian()], WEIGHTS, WEIGHTS, 2)


def untiled(rows):
    return pair_sum([rows], [gaussian()], WEIGHTS, WEIGHTS)


def _differentiated_stack(loss):
    stack = STACK.clone().requires_grad_()
    return torch.autograd.grad(torch.vmap(loss)(stack).sum(), stack)[0]


def _dual(loss):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(loss(forward_ad.make_dual(STACK[0], STACK[1]))).tangent


@pytest.mark.parametrize(
    "of",
    [
        lambda f: torch.vmap(f)(STACK),
        lambda f: torch.vmap(torch.vmap(f, in_dims=1), in_dims=2)(STACK[..., None].permute(1, 0, 3, 2)),
        lambda f: torch.vmap(torch.func.grad(f))(STACK),
        lambda f: torch.func.grad(lambda stack: torch.vmap(f)(stack).sum())(STACK),
        lambda f: torch.func.jvp(f, (STACK[0],), (STACK[1],))[1],
        lambda f: torch.vmap(lambda x, v: torch.func.jvp(f, (x,), (v,))[1])(STACK, STACK.flip(0)),
        _differentiated_stack,
        _dual,
    ],
    ids=["stack", "stack of stacks", "stack of grads", "grad of a stack", "jvp", "stack of jvps", "backward", "dual"],
)
def test_stacks_and_first_derivatives_of_every_kind(of):
    torch.testing.assert_close(of(tiled), of(untiled), rtol=1e-10, atol=1e-12)


def test_weights_may_be_stacked_too():
    weights = torch.stack([fixed(7, 1, key) for key in range(3)])
    found = torch.vmap(lambda x, w: pair_sum([x], [gaussian()], w, w, 2))(STACK, weights)
    expected = [pair_sum([x], [gaussian()], w, w) for x, w in zip(STACK, weights, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected))


@pytest.mark.parametrize(
    "twice",
    [
        lambda: torch.autograd.functional.hessian(tiled, STACK[0]),
        lambda: torch.func.hessian(tiled)(STACK[0]),
        lambda: torch.func.jacrev(torch.func.grad(tiled))(STACK[0]),
        lambda: torch.func.grad(lambda x: torch.func.jvp(tiled, (x,), (STACK[1],))[1])(STACK[0]),
        lambda: torch.func.jvp(lambda x: torch.func.jvp(tiled, (x,), (STACK[1],))[1], (STACK[0],), (STACK[1],)),
    ],
    ids=["double backward", "forward over reverse", "reverse over reverse", "reverse over forward", "forward twice"],
)
def test_second_derivatives_are_refused(twice):
    with pytest.raises(ContractError, match="differentiated twice"):
        twice()


def test_the_gradient_is_made_with_the_value_and_only_when_wanted(monkeypatch):
    from dareps.maths import pairs

    passes = []
    sweep = pairs.Sweep.over

    def counted(self, left, right):
        passes.append(self.wanted)
        return sweep(self, left, right)

    monkeypatch.setattr(pairs.Sweep, "over", counted)
    tiled(STACK[0])
    with torch.no_grad():
        tiled(STACK[0].clone().requires_grad_())
    assert passes == [False, False]
    del passes[:]
    _differentiated_stack(tiled)
    assert passes == [True] * 3


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_sum_in_tiles_can_be_captured(kernel):
    rows = STACK[0].clone().requires_grad_()
    with forbid_host_sync(), forbid_host_copies():
        pair_sum([rows], [KERNELS[kernel]], WEIGHTS, WEIGHTS, 3).backward()


def test_a_bad_number_stays_visible():
    rows = STACK[0].clone()
    rows[2, 1] = float("nan")
    assert tiled(rows).isnan()
    assert pair_sum([rows], [DISTANCE], WEIGHTS * 0, WEIGHTS * 0, 3).isnan()


MEASURE = """
import resource, torch
torch.set_num_threads(1)
from dareps.alignment import MMD
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def run(n):
    leaves = [torch.linspace(0, shift, n * 32).sin().view(n, 32).requires_grad_() for shift in (900, 700)]
    MMD(kernel={kernel!r}, estimator={estimator!r})(*leaves).backward()
run(600)
before = peak()
run(4096)
print(peak() - before)
"""


@pytest.mark.parametrize(("kernel", "estimator"), [("gaussian", "biased"), ("laplace", "unbiased")])
def test_memory_stays_far_below_the_matrix(kernel, estimator):
    code = MEASURE.format(kernel=kernel, estimator=estimator)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    matrix = 4096 * 4096 * 4
    assert int(done.stdout) < matrix / 2


def test_tiles_are_linear_in_the_rows():
    from tests.alignment._samples import largest_tensor

    for n in (UNTILED + 1, 4 * UNTILED):
        rows, weights = fixed(n, 2).float(), torch.full((n, 1), 1 / n)
        largest, _ = largest_tensor(lambda rows, w=weights: pair_sum([rows], [gaussian()], w, w), rows)
        assert largest <= 1 << 18


def test_what_stands_still_has_no_gradient_in_the_plain_form_either():
    """Transforms and second derivatives take the plain form, which is differentiable in everything."""

    def run(wanted, own):
        return (own[0] * own[1].square()).sum(), 2 * own[0] * own[1]

    task = Eager(run, 1, lambda weight, rows: (weight * rows.square()).sum())
    weight, rows = (torch.full((), number, dtype=torch.float64, requires_grad=True) for number in (3, 5))
    assert torch.func.grad(task, (0, 1))(weight, rows) == (0, 30)
    (slope,) = torch.autograd.grad(task(weight, rows), rows, create_graph=True)
    assert torch.autograd.grad(slope, (weight, rows), allow_unused=True) == (None, 6)
