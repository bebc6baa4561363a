"""MMD with other kernels, in tiles, and with a running bandwidth."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from dareps.alignment import MMD
from dareps.errors import ContractError
from dareps.maths import pairs as pairs_module
from dareps.testing import check_alignment
from dareps.types import Shapes, View
from tests.alignment._samples import PROPERTY, gradient, normal, pairs

KERNELS = ["gaussian", "laplace", "rational_quadratic", "linear"]
ESTIMATORS = ["biased", "unbiased", "linear"]
ONE = torch.ones(())


def kernel_of(name, b):
    """k(x, y) as its formula reads."""
    if name == "linear":
        return lambda x, y: float(x @ y)
    members = {
        "gaussian": lambda s: sum(math.exp(-s / 2.0**i) for i in range(-2, 3)),
        "laplace": lambda s: sum(math.exp(-math.sqrt(s) / 2.0**i) for i in range(-2, 3)),
        "rational_quadratic": lambda s: sum((1 + s / (2 * a)) ** -a for a in (0.2, 0.5, 1, 2, 5)),
    }
    return lambda x, y: members[name](((x - y) ** 2).sum() / b)


def reference(k, x, y, estimator):
    n, m = len(x), len(y)
    if estimator == "linear":
        ends = range(0, min(n, m) // 2 * 2, 2)
        return np.mean([k(x[i], x[i + 1]) + k(y[i], y[i + 1]) - k(x[i], y[i + 1]) - k(x[i + 1], y[i]) for i in ends])
    same = 1 if estimator == "biased" else 0

    def within(side):
        size = len(side)
        terms = [k(side[i], side[j]) for i in range(size) for j in range(size) if same or i != j]
        return sum(terms) / len(terms)

    return within(x) + within(y) - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("kernel", KERNELS)
@given(sample=pairs())
@PROPERTY
def test_equals_the_definition(kernel, estimator, sample):
    x, y = (side.numpy() for side in sample)
    gaps = torch.pdist(torch.cat(sample)) ** 2
    b = gaps.mean().item()
    assume(b > 1e-6)
    # The root of a distance that is all rounding has no digits to compare.
    assume(not ((gaps > 0) & (gaps < 1e-6 * b)).any())
    found = MMD(kernel=kernel, estimator=estimator)(*sample).item()
    size = np.abs(np.concatenate((x, y))).max() ** 2 if kernel == "linear" else 1
    assert found == pytest.approx(reference(kernel_of(kernel, b), x, y, estimator), rel=1e-7, abs=1e-8 * size)


@given(distance=st.floats(0.01, 20), b=st.floats(0.1, 50))
@pytest.mark.parametrize("kernel", KERNELS[1:3])
@PROPERTY
def test_point_masses(kernel, distance, b):
    x, y = torch.zeros(3, 1, dtype=torch.float64), torch.full((2, 1), distance, dtype=torch.float64)
    k = kernel_of(kernel, b)
    expected = 2 * (5 - k(np.zeros(1), np.full(1, distance)))
    assert MMD(kernel=kernel, bandwidth=b)(x, y).item() == pytest.approx(expected, rel=1e-10)


@given(sample=pairs())
@PROPERTY
def test_linear_kernel_compares_means(sample):
    x, y = sample
    expected = (x.mean(0) - y.mean(0)).square().sum()
    torch.testing.assert_close(MMD(kernel="linear")(x, y), expected, rtol=1e-9, atol=1e-12)


def test_linear_kernel_takes_no_bandwidth():
    with pytest.raises(ValidationError, match="no bandwidth"):
        MMD(kernel="linear", bandwidth=1.0)
    with pytest.raises(ValidationError):
        MMD(kernel="cosine")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_gradient_is_that_of_the_value(kernel, estimator):
    x, y = normal(5, 3, 1).requires_grad_(), (normal(4, 3, 2) + 0.5).requires_grad_()
    loss = MMD(kernel=kernel, estimator=estimator, **({} if kernel == "linear" else {"bandwidth": 4.0}))
    assert torch.autograd.gradcheck(loss, (x, y))
    assert torch.autograd.gradgradcheck(loss, (x, y))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_collapsed_rows_give_exactly_zero(kernel, estimator, value):
    x, y = torch.full((3, 4), value), torch.full((5, 4), value)
    found, gradients = gradient(MMD(kernel=kernel, estimator=estimator), x, y)
    assert found.item() == 0
    assert not any(part.any() for part in gradients)


@pytest.mark.parametrize("kernel", KERNELS)
def test_identical_and_huge_rows_have_a_finite_gradient(kernel):
    for scale in (1.0, 1e12):
        x = normal(6, 3, 3).float() * scale
        found, gradients = gradient(MMD(kernel=kernel), x, x.clone())
        assert abs(found.item()) < 1e-5
        assert all(part.isfinite().all() for part in gradients)


@pytest.mark.parametrize("kernel", KERNELS)
def test_narrow_types(kernel):
    x, y = normal(32, 20, 4), normal(24, 20, 5) * 1.5 + 0.3
    wide = MMD(kernel=kernel)(x, y).item()
    assert MMD(kernel=kernel)(x.float(), y.float()).item() == pytest.approx(wide, rel=1e-4)
    narrow = MMD(kernel=kernel)(x.bfloat16(), y.bfloat16())
    assert narrow.dtype == torch.bfloat16
    assert narrow.item() == pytest.approx(wide, rel=3e-2)


@pytest.mark.parametrize(
    "settings",
    [
        *({"kernel": k} for k in KERNELS[1:]),
        *({"kernel": k, "estimator": "unbiased"} for k in KERNELS[1:]),
        {"kernel": "laplace", "bandwidth": "median"},
        {"kernel": "rational_quadratic", "bandwidth": 1e3},
        {"bandwidth": "running"},
        {"bandwidth": "running", "kernel": "laplace", "memory": 0.0},
    ],
    ids=str,
)
def test_laws(settings):
    check_alignment(MMD(**settings), max_examples=10)


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize("kernel", KERNELS[:3])
@pytest.mark.parametrize("bandwidth", ["mean", "median", 3.0])
def test_tiles_above_the_threshold_change_nothing(kernel, estimator, bandwidth, monkeypatch):
    x, y = normal(9, 3, 6), normal(7, 3, 7) + 0.5
    loss = MMD(kernel=kernel, estimator=estimator, bandwidth=bandwidth)
    value, slopes = gradient(loss, x, y)
    monkeypatch.setattr(pairs_module, "UNTILED", 15)
    monkeypatch.setattr(pairs_module, "_ON_CPU", 70)
    in_tiles, tiled_slopes = gradient(loss, x, y)
    with pytest.raises(ContractError, match="differentiated twice"):
        torch.autograd.functional.vhp(lambda x: loss(x, y), x, x)
    torch.testing.assert_close(in_tiles, value, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(tiled_slopes, slopes, rtol=1e-9, atol=1e-12)


def test_1025_rows_are_taken_in_tiles_and_1024_are_not():
    x, y = normal(512, 2, 8).requires_grad_(), normal(512, 2, 9)
    assert torch.autograd.functional.vhp(lambda x: MMD()(x, y), x, x.detach())[1].isfinite().all()
    more = torch.cat((y, y[:1]))
    with pytest.raises(ContractError, match="differentiated twice"):
        torch.autograd.functional.vhp(lambda x: MMD()(x, more), x, x.detach())


def views(*rows):
    roles = ["source", *["target"] * (len(rows) - 1)]
    return [View(f"d{i}", role, x) for i, (x, role) in enumerate(zip(rows, roles, strict=True))]


def built(**settings):
    return MMD(bandwidth="running", **settings).build(Shapes(3, 2, ("d0",), ("d1",))).double()


def batches(count):
    return [(normal(5, 3, 2 * k) * (k + 1), normal(4, 3, 2 * k + 1) + k) for k in range(count)]


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_running_bandwidth_is_the_average_that_forgets_at_its_rate(memory):
    module, seen = built(memory=memory), []
    for x, y in batches(4):
        value = module(views(x, y), ONE, None)
        seen.append((torch.pdist(torch.cat((x, y))) ** 2).mean().item())
        weights = [memory**age for age in range(len(seen))][::-1]
        expected = np.average(seen, weights=weights)
        torch.testing.assert_close(value, MMD(bandwidth=expected)(x, y), rtol=1e-9, atol=1e-12)


def test_running_bandwidth_rests_in_evaluation_and_comes_back_from_a_checkpoint():
    module, again = built(), built()
    (x, y), (u, v) = batches(2)
    module(views(x, y), ONE, None)
    module.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    value = module(views(u, v), ONE, None)
    assert before
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    again.load_state_dict(before)
    assert torch.equal(again.eval()(views(u, v), ONE, None), value)
    b = (torch.pdist(torch.cat((x, y))) ** 2).mean().item()
    torch.testing.assert_close(value, MMD(bandwidth=b)(u, v), rtol=1e-9, atol=1e-12)


def test_running_bandwidth_before_the_first_batch_and_of_nothing():
    (x, y), _ = batches(2)
    torch.testing.assert_close(built().eval()(views(x, y), ONE, None), MMD()(x, y))
    collapsed = built()(views(x * 0, y * 0), ONE, None)
    assert collapsed.item() == 0


def test_running_bandwidth_is_one_over_all_pairs_of_domains():
    x, y, z = normal(5, 3, 1), normal(4, 3, 2) + 1, normal(6, 3, 3) * 2
    found = MMD(bandwidth="running").build(Shapes(3, 2, ("d0",), ("d1", "d2"))).double()(views(x, y, z), ONE, None)
    b = np.mean([(torch.pdist(torch.cat(pair)) ** 2).mean().item() for pair in ((x, y), (x, z))])
    torch.testing.assert_close(found, (MMD(bandwidth=b)(x, y) + MMD(bandwidth=b)(x, z)) / 2, rtol=1e-9, atol=1e-12)


def test_stacked_modules_remember_apart():
    modules = [built(), built()]
    parameters, buffers = torch.func.stack_module_state(modules)
    for x, y in batches(3):
        stack = [torch.stack((side, side.flip(0) * 2 - 1)) for side in (x, y)]
        call = lambda own, x, y: torch.func.functional_call(modules[0], own, (views(x, y), ONE, None))  # noqa: E731
        together = torch.vmap(call)({**parameters, **buffers}, *stack)
        apart = zip(modules, zip(*stack, strict=True), strict=True)
        alone = [module(views(*sides), ONE, None) for module, sides in apart]
        torch.testing.assert_close(together, torch.stack(alone), rtol=1e-9, atol=1e-12)
    assert not torch.equal(modules[0].sum, modules[1].sum)


def test_running_bandwidth_needs_building_and_a_memory_below_one():
    with pytest.raises(ContractError, match=r"build\(shapes\)"):
        MMD(bandwidth="running")(torch.zeros(2, 2), torch.zeros(2, 2))
    with pytest.raises(ValidationError):
        MMD(memory=1.0)
