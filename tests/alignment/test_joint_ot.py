import math
import sys
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import linear_sum_assignment

from dareps.alignment import JointOT
from dareps.alignment._modules import Pairwise
from dareps.errors import ContractError
from dareps.maths.exact_transport import exact_plan
from dareps.maths.transport import entropic_plan
from dareps.testing import check_alignment
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import Shapes, View
from tests.alignment._samples import PROPERTY, gradient, normal

EXACT = JointOT(solver="exact", alpha=0.5, label_weight=0.3)


def sample(n, m, key, c=3):
    labels = torch.arange(n) % c
    return normal(n, 2, key), normal(m, 2, key + 1) + 1, labels, normal(m, c, key + 2) * 2


def costs(loss, x, y, labels, logits):
    """The cost of every pair, one at a time."""
    x, y, logits = (part.numpy() for part in (x, y, logits))
    found = np.zeros((len(x), len(y)))
    for i, j in np.ndindex(found.shape):
        entropy = np.log(np.exp(logits[j]).sum()) - logits[j, labels[i]]
        found[i, j] = loss.alpha * ((x[i] - y[j]) ** 2).sum() + loss.label_weight * entropy
    return found


def least(cost):
    """The least cost over all matchings, rows repeated up to a common number."""
    n, m = cost.shape
    size = math.lcm(n, m)
    cost = cost.repeat(size // n, 0).repeat(size // m, 1)
    return min(cost[range(size), list(order)].mean() for order in permutations(range(size)))


@given(n=st.integers(1, 3), m=st.integers(1, 3), key=st.integers(0, 20))
@settings(PROPERTY, max_examples=20)
def test_exact_plan_costs_least_of_all_matchings(n, m, key):
    inputs = sample(n, m, key)
    assert EXACT(*inputs).item() == pytest.approx(least(costs(EXACT, *inputs)), rel=1e-8)


@pytest.mark.parametrize("m", [6, 9])
def test_plans_have_the_uniform_margins(m):
    cost = torch.tensor(costs(EXACT, *sample(6, m, 30)))
    exact, entropic = exact_plan(cost), entropic_plan(cost, cost.mean() * 0.2, 300)
    for plan in (exact, entropic):
        torch.testing.assert_close(plan.sum(1), torch.full((6,), 1 / 6, dtype=torch.float64))
        torch.testing.assert_close(plan.sum(0), torch.full((m,), 1 / m, dtype=torch.float64), rtol=1e-4, atol=1e-6)
    assert (exact * cost).sum() < (entropic * cost).sum()


def test_entropic_plan_tends_to_the_exact_one():
    inputs = sample(5, 5, 40)
    close = JointOT(alpha=0.5, label_weight=0.3, epsilon=1e-3, iterations=3000)
    assert close(*inputs).item() == pytest.approx(EXACT(*inputs).item(), rel=1e-3)


@pytest.mark.parametrize("solver", ["sinkhorn", "exact"])
def test_without_features_that_differ_certain_correct_predictions_cost_nothing(solver):
    x, labels = torch.eye(3, dtype=torch.float64) * 9, torch.arange(3)
    logits = torch.eye(3, dtype=torch.float64)[[2, 0, 1]] * 100
    found = JointOT(solver=solver, alpha=1.0, label_weight=1.0)(x, x[[2, 0, 1]], labels, logits)
    assert found.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_equal_sizes_are_an_assignment(scale):
    cost = torch.tensor(costs(EXACT, *sample(40, 40, 50))) * scale
    expected = cost.numpy()[linear_sum_assignment(cost.numpy())].mean()
    assert (exact_plan(cost) * cost).sum().item() == pytest.approx(expected, rel=1e-8)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(ContractError, match=r"POT library.*dareps\[ot\]"):
        EXACT(*sample(3, 4, 1))


@pytest.mark.parametrize("solver", ["sinkhorn", "exact"])
def test_gradient_is_that_of_the_cost_under_a_fixed_plan(solver):
    x, y, labels, logits = sample(5, 4, 60)
    loss = JointOT(solver=solver, alpha=0.5, label_weight=0.3)
    _, found = gradient(lambda x, y, logits: loss(x, y, labels, logits), x, y, logits)
    cost = torch.tensor(costs(loss, x, y, labels, logits))
    plan = exact_plan(cost) if solver == "exact" else entropic_plan(cost, cost.mean() * 0.05, 50)
    leaves = [part.clone().requires_grad_() for part in (x, y, logits)]
    distances = ((leaves[0][:, None] - leaves[1][None]) ** 2).sum(-1)
    value = (plan * (0.5 * distances - 0.3 * leaves[2].log_softmax(1)[:, labels].T)).sum()
    for got, want in zip(found, torch.autograd.grad(value, leaves), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-7, atol=1e-10)


def test_only_the_exact_solver_works_on_the_host():
    assert EXACT.host
    assert not JointOT().host
    inputs = [part.requires_grad_() if part.is_floating_point() else part for part in sample(5, 4, 70)]
    with forbid_host_sync(), forbid_host_copies():
        JointOT()(*inputs).backward()
    with pytest.raises(ContractError, match="host"), forbid_host_sync():
        EXACT(*inputs)


@pytest.mark.parametrize("solver", ["sinkhorn", "exact"])
@pytest.mark.parametrize("m", [4, 5])
def test_stacked_gradients_are_those_of_a_loop(solver, m):
    loss = JointOT(solver=solver, alpha=0.5, label_weight=0.3)
    inputs = [torch.stack(parts) for parts in zip(sample(4, m, 80), sample(4, m, 90), strict=True)]
    slopes = torch.vmap(torch.func.grad(loss, argnums=(0, 1, 3)))(*inputs)
    for i in range(2):
        alone = torch.func.grad(loss, argnums=(0, 1, 3))(*(part[i] for part in inputs))
        for together, own in zip(slopes, alone, strict=True):
            torch.testing.assert_close(together[i], own)


@pytest.mark.parametrize("solver", ["sinkhorn", "exact"])
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e6])
def test_identical_collapsed_and_huge_rows(solver, scale):
    x, y, labels, logits = sample(4, 4, 100)
    loss = JointOT(solver=solver)
    for first, second in ((x * scale, y * scale), (x * scale, x * scale)):
        value, gradients = gradient(lambda x, y, z: loss(x, y, labels, z), first, second, logits * scale)
        assert value.isfinite()
        assert all(part.isfinite().all() for part in gradients)


def test_views_are_unpacked():
    x, y, labels, logits = sample(5, 4, 110)
    seen = [View("a", "source", x, labels=labels), View("b", "target", y, logits)]
    module = JointOT().build(Shapes(2, 3, ("a",), ("b",)))
    assert isinstance(module, Pairwise)
    assert torch.equal(module(seen, torch.ones(()), None), JointOT()(x, y, labels, logits))
    with pytest.raises(ContractError, match="has no labels"):
        JointOT().between(View("a", "source", x), seen[1])


def test_bad_input_and_numbers():
    x, y, labels, logits = sample(5, 4, 120)
    for changed, what in (
        ((x[:0], y, labels[:0], logits), "at least 1"),
        ((x[:, :1], y, labels, logits), "differ in width"),
        ((x, y, labels[:4], logits), "source_labels"),
        ((x, y, labels.double(), logits), "source_labels"),
        ((x, y, labels, logits[:3]), "differ in rows"),
        ((x, y, labels, logits.long()), "floating point"),
    ):
        with pytest.raises(ContractError, match=what):
            JointOT()(*changed)
    for loss in (JointOT(), EXACT):
        assert loss(x * math.nan, y, labels, logits).isnan()
        assert loss(x.bfloat16(), y.bfloat16(), labels, logits.bfloat16()).dtype == torch.bfloat16
    for bad in ({"alpha": 0.0}, {"solver": "emd"}, {"epsilon": 0.0}, {"label_weight": -1.0}):
        with pytest.raises(ValidationError):
            JointOT(**bad)


def test_other_settings_keep_the_laws():
    for loss in (EXACT, JointOT(alpha=1.0, label_weight=1.0, epsilon=0.5), JointOT(label_weight=0.0)):
        check_alignment(loss, max_examples=5)
