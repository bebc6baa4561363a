"""Soft sharing against its definition, and its two ends."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.encoders.digit_cnn import DigitCNN
from dareps.encoders.identity import Identity
from dareps.encoders.mlp import MLP
from dareps.errors import ConfigError, DarepsError
from dareps.recipe.bind import bind_recipe, bind_run
from dareps.sharing._modules import HardSharing
from dareps.sharing._soft import DISTANCES
from dareps.sharing.soft import Soft
from tests.alignment._samples import PROPERTY
from tests.sharing._make import TASKS, blueprint, built, called

EVERYONE = [(3, "books", TASKS)]


def moved(scheme):
    """A module whose branches differ."""
    module = built(scheme)
    with torch.no_grad():
        for number, branch in enumerate(module.branches):
            for parameter in branch.parameters():
                parameter.mul_(1 + number).add_(0.1 * number)
    return module


def pairs_of(module, stage=None):
    """1 / (2 T) of the sum over ordered pairs of |theta_t - theta_u|^2, from the definition."""
    own = [
        torch.cat([value.flatten() for name, value in branch.named_parameters() if stage in (None, name.split(".")[1])])
        for branch in module.branches
    ]
    return sum((a - b).square().sum() for a in own for b in own) / (2 * len(own))


@pytest.mark.parametrize("tasks", [TASKS, ("a", "b", "c", "d")])
def test_the_penalty_is_half_the_mean_squared_distance_of_all_pairs(tasks):
    module = built(Soft(along="tasks"), tasks=tasks)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.linspace(-1, 1, parameter.numel(), dtype=torch.float64).view_as(parameter).sin())
        for number, branch in enumerate(module.branches):
            branch.chain["layer1"][0].weight.mul_(number)
    _, penalties = called(module, [(3, "books", tasks)])
    torch.testing.assert_close(penalties["coupling"], pairs_of(module))


def test_branches_start_together_with_a_gradient_of_zero():
    module = built(Soft())
    module.branches[1].load_state_dict(module.branches[0].state_dict())
    value = called(module, EVERYONE)[1]["coupling"]
    gradients = torch.autograd.grad(value, list(module.parameters()))
    assert value == 0
    assert all(not gradient.any() for gradient in gradients)


def test_stages_have_factors_of_their_own():
    module = moved(Soft(stages={"layer1": 0.0, "layer2": 3.0}))
    torch.testing.assert_close(called(module, EVERYONE)[1]["coupling"], 3 * pairs_of(module, "layer2"))


def test_the_mean_is_per_value_of_a_stage():
    module = moved(Soft(scale="mean"))
    sizes = {"layer1": 4 * 4 + 4, "layer2": 4 * 4 + 4}
    wanted = sum(pairs_of(module, stage) / (size * len(TASKS)) for stage, size in sizes.items())
    torch.testing.assert_close(called(module, EVERYONE)[1]["coupling"], wanted)


@PROPERTY
@given(arrays("float64", (3, 2, 4, 2), elements=st.floats(-2, 2, width=16)))
def test_trace_norms_are_those_of_the_flattenings(values):
    w = torch.tensor(values)
    norms = {
        "laf": [w.reshape(-1, 2)],
        "tucker": [w.movedim(mode, 0).reshape(w.shape[mode], -1) for mode in range(4)],
        "tt": [w.reshape(math.prod(w.shape[:cut]), -1) for cut in (1, 2, 3)],
    }
    for name, matrices in norms.items():
        wanted = sum(torch.linalg.matrix_norm(matrix, "nuc") for matrix in matrices)
        torch.testing.assert_close(DISTANCES[name](w), wanted, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("norm", ["laf", "tucker", "tt"])
def test_trace_norms_leave_biases_free(norm):
    module = moved(Soft(norm=norm))
    value = called(module, EVERYONE)[1]["coupling"]
    gradients = torch.autograd.grad(value, list(module.parameters()), allow_unused=True)
    for (name, _), gradient in zip(module.named_parameters(), gradients, strict=True):
        assert gradient is None or bool(gradient.any()) == name.endswith("weight")


def test_an_infinite_coupling_is_one_encoder_however_it_is_written():
    for written in ("inf", math.inf):
        assert isinstance(Soft(coupling=written).build(blueprint()), HardSharing)
    assert Soft.model_validate(Soft(coupling="inf").model_dump()) == Soft(coupling="inf")


def test_without_a_coupling_there_is_no_penalty():
    assert called(built(Soft(coupling=0.0)), EVERYONE)[1] == {}


@pytest.mark.parametrize("strength", [0.0, 0.3, 40.0])
def test_the_proximal_step_minimises_distance_and_penalty(strength):
    module = moved(Soft(update="proximal", stages={"layer2": 0.5}))
    before = [[own.detach().clone().requires_grad_() for own in branch.parameters()] for branch in module.branches]
    with torch.no_grad():
        module.pull(torch.tensor(strength), frozenset(name for name, _ in module.named_parameters()))
    after = [[own.detach().clone().requires_grad_() for own in branch.parameters()] for branch in module.branches]
    value = torch.zeros((), dtype=torch.float64)
    for index, factor in enumerate((1.0, 1.0, 0.5, 0.5)):
        own = torch.stack([branch[index] for branch in after])
        value = value + strength * factor * (own - own.mean(0)).square().sum()
        value = value + sum((b[index] - a[index]).square().sum() / 2 for a, b in zip(before, after, strict=True))
    leaves = [own for branch in after for own in branch]
    assert all(gradient.abs().max() < 1e-6 for gradient in torch.autograd.grad(value, leaves))
    assert called(module, EVERYONE)[1] == {}


def test_a_proximal_step_leaves_frozen_weights_alone():
    module = moved(Soft(update="proximal"))
    before = {name: own.detach().clone() for name, own in module.named_parameters()}
    with torch.no_grad():
        module.pull(torch.tensor(1.0), frozenset(name for name in before if "layer2" in name))
    changed = {name for name, own in module.named_parameters() if not torch.equal(own, before[name])}
    assert changed == {name for name in before if "layer2" in name}


def test_trace_norms_have_no_proximal_step_here():
    with pytest.raises(DarepsError, match=r"only l2 has a proximal update, not laf.*Set sharing.norm=l2"):
        bind_recipe({"sharing": {"name": "soft", "norm": "laf", "update": "proximal"}}, "recipe x")


def test_many_branches_on_the_same_rows_are_as_one_after_the_other():
    tasks = tuple(f"t{number}" for number in range(40))
    module = built(Soft(along="tasks", coupling=0.0), tasks=tasks)
    wanted, results = tasks[3:], []
    for module.alike in (True, False):
        module.zero_grad()
        found, _ = called(module, [(3, "books", wanted), (2, "films", wanted)])
        sum(own[task].task.square().sum() for own in found for task in wanted).backward()
        results.append((found, [own.grad for own in module.parameters()]))
    (one, slopes), (other, others) = results
    for here, there in zip(one, other, strict=True):
        assert all(torch.allclose(here[task].task, there[task].task, atol=1e-12) for task in wanted)
    for slope, straight in zip(slopes, others, strict=True):
        assert (slope is None) == (straight is None)
        assert slope is None or torch.allclose(slope, straight, atol=1e-12)
    assert all(own.grad is None for branch in module.branches[:3] for own in branch.parameters())


def test_encoders_with_statistics_or_noise_run_one_by_one():
    for encoder in (MLP(width=4, norm=True), MLP(width=4, dropout=0.1), Identity(), DigitCNN(norm=False, padding=2)):
        shape = (1, 8, 8) if encoder.name == "digit_cnn" else (4,)
        assert not built(Soft(), encoder=encoder, shape=shape).alike
    assert built(Soft()).alike


def test_an_unknown_stage_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"sharing.stages: the encoder has no such stage, got 'layr1'.*'layer1'"):
        built(Soft(stages={"layr1": 1.0}))


@pytest.mark.parametrize("wrong", [-1.0, "infinite", math.nan, None])
def test_a_coupling_that_is_none_is_refused(wrong):
    with pytest.raises(DarepsError, match=r"sharing.*coupling"):
        bind_run("dann", "digits8/fonts:scans", overrides=[("sharing", {"name": "soft", "coupling": wrong})])
