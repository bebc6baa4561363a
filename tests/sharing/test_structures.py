"""Cross-stitch, hierarchical and gated schemes against their definitions."""

import pytest
import torch

from dareps.encoders.digit_cnn import DigitCNN
from dareps.encoders.mlp import MLP
from dareps.errors import ConfigError
from dareps.sharing._cross_stitch import StitchUnit
from dareps.sharing._experts import Gate
from dareps.sharing._modules import Group, Seen
from dareps.sharing._sluice import SluiceUnit
from dareps.sharing.cgc import CGC
from dareps.sharing.cross_stitch import CrossStitch
from dareps.sharing.hierarchical import Hierarchical
from dareps.sharing.mmoe import MMoE
from dareps.sharing.ple import PLE
from dareps.sharing.sluice import Sluice
from tests.sharing._make import HEADS, TASKS, blueprint, built, called, rows

ONE = [(3, "books", TASKS)]
NORMED = MLP(width=4, depth=2, norm=True)


def test_stitches_start_at_the_papers_values():
    unit = StitchUnit(2, 5, 0.9)
    torch.testing.assert_close(unit.alpha[..., 0], torch.tensor([[0.9, 0.1], [0.1, 0.9]]))
    assert torch.allclose(StitchUnit(4, 1, 0.7).alpha.sum(1), torch.ones(4, 1))
    torch.testing.assert_close(StitchUnit(4, 1, 0.7).alpha[0, 1], torch.tensor([0.1]))


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5, 6)])
def test_a_stitch_mixes_branches_and_not_units(shape):
    unit = StitchUnit(2, 4, 0.5)
    with torch.no_grad():
        unit.alpha.copy_(torch.arange(16.0).view(2, 2, 4))
    x = torch.randn(shape)
    found = unit(x)
    for t in range(2):
        for channel in range(4):
            wanted = sum(unit.alpha[t, u, channel] * x[u, :, channel] for u in range(2))
            torch.testing.assert_close(found[t, :, channel], wanted)


def test_swapping_branches_and_stitches_swaps_the_result():
    module = built(CrossStitch())
    before, _ = called(module, ONE)
    with torch.no_grad():
        one, other = (branch.state_dict() for branch in module.branches)
        one = {name: value.clone() for name, value in one.items()}
        module.branches[0].load_state_dict(other)
        module.branches[1].load_state_dict(one)
        for unit in module.units.values():
            unit.alpha.copy_(unit.alpha.flip(0, 1))
    after, _ = called(module, ONE)
    for here, there in (TASKS, TASKS[::-1]):
        torch.testing.assert_close(after[0][here].task, before[0][there].task)


def test_units_follow_stages_with_parameters():
    module = built(CrossStitch())
    assert list(module.units) == ["layer1", "layer2"]


def test_tasks_read_at_their_own_stage():
    module = built(Hierarchical(reads={"colour": "layer1"}))
    x = rows(3)
    found, _ = called(module, ONE, x)
    taps = module.encoder.taps(x)
    torch.testing.assert_close(found[0]["colour"].task, taps["layer1"])
    torch.testing.assert_close(found[0]["kind"].task, taps["layer2"])
    assert module.own("kind") == (module.encoder.chain["layer2"],)
    assert module.own("colour") == ()


def test_a_low_task_runs_and_teaches_low_stages_alone():
    module = built(Hierarchical(reads={"colour": "layer1"}), encoder=NORMED)
    before = {name: value.clone() for name, value in module.named_buffers()}
    found, _ = called(module, [(3, "books", ("colour",))])
    found[0]["colour"].task.sum().backward()
    moved = {name for name, value in module.named_buffers() if not torch.equal(value, before[name])}
    assert moved
    assert all("layer1" in name for name in moved)
    assert {name.split(".")[2] for name, own in module.named_parameters() if own.grad is not None} == {"layer1"}


def test_groups_leave_the_climb_where_their_tasks_do():
    module = built(Hierarchical(reads={"colour": "layer1"})).eval()
    x = rows(6)
    groups = [(2, "books", ("colour",)), (2, "films", TASKS), (2, "books", ("kind",))]
    found, _ = called(module, groups, x)
    taps = module.encoder.taps(x)
    torch.testing.assert_close(found[0]["colour"].task, taps["layer1"][:2])
    torch.testing.assert_close(found[1]["kind"].task, taps["layer2"][2:4])
    torch.testing.assert_close(found[1]["colour"].task, taps["layer1"][2:4])
    torch.testing.assert_close(found[2]["kind"].task, taps["layer2"][4:])
    assert set(found[0]["colour"].taps) == {"input", "layer1"}


@pytest.mark.parametrize(("private", "owned"), [("low", "layer1"), ("high", "layer2")])
def test_domains_have_one_end_to_themselves(private, owned):
    module = built(Hierarchical(along="domains", private=private))
    assert {name.split(".")[3] for name, _ in module.named_parameters() if name.startswith("branches")} == {owned}
    found, _ = called(module, [(2, "books", TASKS), (2, "films", TASKS)])
    assert found[0]["kind"] is found[0]["colour"]
    found[1]["kind"].task.sum().backward()
    assert not any(own.grad is not None and own.grad.any() for own in module.branches[0].parameters())
    assert all(own.grad is not None for own in module.branches[1].parameters())


def test_until_may_be_named():
    module = built(Hierarchical(along="domains", until="layer2"), encoder=MLP(width=3, depth=3))
    assert list(module.branches[0].chain) == ["input", "layer1", "layer2"]
    assert list(module.encoder.chain) == ["layer3"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reads": {"shape": "layer1"}}, r"sharing.reads: there is no such task, got 'shape'"),
        ({"reads": {"kind": "layer7"}}, r"sharing.reads: the encoder has no such stage, got 'layer7'"),
        ({"along": "domains", "until": "conv1"}, r"sharing.until: the encoder has no such stage, got 'conv1'"),
        ({"along": "domains", "until": "layer2"}, r"no stages to split.*layer1, layer2.*Set sharing.until to one of"),
        ({"along": "domains", "reads": {"kind": "layer1"}}, r"sharing.reads: domains do not read"),
        ({"along": "tasks", "until": "layer1"}, r"sharing.until: tasks read at stages"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Hierarchical(**settings).build(blueprint())


def test_a_mixture_is_the_sum_of_experts_by_the_gate():
    module, x = built(MMoE(experts=3)), rows(3)
    found, _ = called(module, ONE, x)
    for number, task in enumerate(TASKS):
        gate = (x @ module.gates[number].scores.weight.T + module.gates[number].scores.bias).softmax(1)
        wanted = sum(gate[:, [i]] * expert(x) for i, expert in enumerate(module.experts))
        torch.testing.assert_close(found[0][task].task, wanted)


def test_own_experts_see_their_own_branchs_rows_alone():
    module = built(CGC(along="domains", shared=2, own=1), encoder=NORMED)
    before = {name: value.clone() for name, value in module.specific.named_buffers()}
    called(module, [(3, "films", TASKS)])
    moved = {
        name.split(".")[0] for name, value in module.specific.named_buffers() if not torch.equal(value, before[name])
    }
    assert moved == {"1"}


def test_the_use_of_experts_is_told():
    module, x = built(CGC(shared=2)), rows(3)
    found, _ = called(module, ONE, x)
    told = module.telemetry(Seen(x, [Group(*group) for group in ONE], found, HEADS))
    assert set(told) == {f"use.{task}.{number}" for task in TASKS for number in range(3)}
    assert sum(value for name, value in told.items() if ".kind." in name) == pytest.approx(1)
    assert not any(value.requires_grad for value in told.values())


def test_gates_of_images_read_means_over_places():
    gate = Gate((2, 16, 4), 3)
    assert gate.scores.in_features == 2 * 8 * 4
    x = torch.randn(5, 2, 16, 4)
    means = x.view(5, 2, 8, 2, 4).mean(3)
    torch.testing.assert_close(gate(x), gate.scores(means.flatten(1)).softmax(1))


def test_a_sluice_mixes_subspaces_of_branches():
    unit = SluiceUnit(2, 2, 0.7)
    with torch.no_grad():
        unit.alpha.copy_(torch.arange(16.0).view(2, 2, 2, 2))
    for shape in ((2, 3, 6), (2, 3, 6, 2, 5)):
        x = torch.randn(shape)
        parts, found = x.view(2, 3, 2, 3, *shape[3:]), unit(x).view(2, 3, 2, 3, *shape[3:])
        for t, k in ((0, 0), (0, 1), (1, 0), (1, 1)):
            wanted = sum(unit.alpha[t, k, u, j] * parts[u, :, j] for u in range(2) for j in range(2))
            torch.testing.assert_close(found[t, :, k], wanted)


def test_sluices_start_as_convex_mixtures():
    unit = SluiceUnit(3, 2, 0.9)
    assert torch.allclose(unit.alpha.flatten(2).sum(2), torch.ones(3, 2))
    assert all(unit.alpha[t, k, t, k].item() == pytest.approx(0.9) for t in range(3) for k in range(2))
    module = built(Sluice(last=0.8), encoder=MLP(width=4, depth=3))
    torch.testing.assert_close(module.beta, torch.tensor([[0.1, 0.1, 0.8]] * 2).double(), atol=1e-7, rtol=0)


def test_subspaces_that_read_the_same_are_penalised():
    module = built(Sluice())
    wanted = 0.0
    for branch in module.branches:
        for stage in ("layer1", "layer2"):
            one, other = branch.chain[stage][0].weight.split(2)
            wanted += (one @ other.T).pow(2).sum()
    torch.testing.assert_close(called(module, ONE)[1]["orthogonality"], wanted)
    assert called(built(Sluice(subspaces=1)), ONE)[1] == {}


def test_stages_of_another_width_come_through_bridges_that_start_at_0():
    settings = {"encoder": DigitCNN(channels=(4, 6), width=4, padding=2), "shape": (1, 8, 8)}
    module = built(Sluice(last=0.5), **settings)
    assert [type(bridge).__name__ for bridge in module.bridges[0].values()] == ["ZeroLinear", "ZeroLinear"]
    assert all(not own.any() for bridge in module.bridges[0].values() for own in bridge.parameters())


def test_channels_that_do_not_fall_into_subspaces_are_refused():
    message = r"2 subspaces need stage layer1 to give \(6,\) or another multiple, got \(5,\)"
    with pytest.raises(ConfigError, match=message):
        built(Sluice(), encoder=MLP(width=5))


def test_the_shared_stream_holds_the_experts_of_all_branches():
    module = built(PLE())
    found, _ = called(module, [(3, "books", ("kind",))])
    found[0]["kind"].task.square().sum().backward()
    low, high = module.levels
    assert all(own.grad is not None and own.grad.any() for own in low.specific[1].parameters())
    assert all(own.grad is None for own in high.specific[1].parameters())
    assert low.shared_gate.scores.out_features == 3
    assert high.shared_gate is None


def test_levels_are_those_of_the_definition():
    module, x = built(PLE()), rows(3)
    found, _ = called(module, ONE, x)
    low, high = module.levels

    def weights(gate, rows):
        return (rows @ gate.scores.weight.T + gate.scores.bias).softmax(1)

    shared, own = low.experts[0](x), [low.specific[t][0](x) for t in range(2)]
    every = weights(low.shared_gate, x)
    common = every[:, [0]] * shared + every[:, [1]] * own[0] + every[:, [2]] * own[1]
    for t, task in enumerate(TASKS):
        gate = weights(low.gates[t], x)
        stream = gate[:, [0]] * shared + gate[:, [1]] * own[t]
        gate = weights(high.gates[t], stream)
        wanted = gate[:, [0]] * high.experts[0](common) + gate[:, [1]] * high.specific[t][0](stream)
        torch.testing.assert_close(found[0][task].task, wanted)


@pytest.mark.parametrize(
    ("depth", "levels", "parts"),
    [
        (1, 2, [["input", "layer1"]]),
        (3, 2, [["input", "layer1"], ["layer2", "layer3"]]),
        (3, 9, [["input", "layer1"], ["layer2"], ["layer3"]]),
    ],
)
def test_stages_fall_into_levels(depth, levels, parts):
    module = built(PLE(levels=levels), encoder=MLP(width=4, depth=depth))
    assert [list(level.experts[0].chain) for level in module.levels] == parts


def test_experts_start_apart():
    module = built(MMoE(experts=2))
    assert not torch.equal(module.experts[0].chain["layer1"][0].weight, module.experts[1].chain["layer1"][0].weight)
    assert module.drawn_as("experts.0.chain.layer1.0") == "encoder.chain.layer1.0"
    assert module.drawn_as("experts.1.chain.layer1.0") == "experts.1.chain.layer1.0"


def test_lower_experts_learn_from_every_branch_and_belong_to_none():
    module = built(PLE(levels=3), encoder=MLP(width=4, depth=3))
    found, _ = called(module, [(3, "books", ("kind",))])
    found[0]["kind"].task.square().sum().backward()
    own = {id(value) for part in module.own("colour") for value in part.parameters()}
    reached = {name for name, value in module.named_parameters() if value.grad is not None and value.grad.any()}
    assert not [name for name, value in module.named_parameters() if id(value) in own and value.grad is not None]
    named_after_colour = {
        name for name, _ in module.named_parameters() if ".specific.1." in name or ".gates.1." in name
    }
    still = {name for name, value in module.named_parameters() if id(value) in own}
    assert named_after_colour - still == named_after_colour & reached
    assert {name.split(".")[1] for name in named_after_colour & reached} == {"0", "1"}
