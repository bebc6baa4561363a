"""The first stage of encoders whose domains have rows of different forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn
from torch.func import functional_call, stack_module_state

from dareps.encoders.linear import Linear
from dareps.encoders.mlp import MLP
from dareps.encoders.stems import Stem
from dareps.encoders.stems._stage import StemStage, behind
from dareps.encoders.stems.conv1d import Conv1dStem
from dareps.encoders.stems.linear import LinearStem
from dareps.encoders.stems.mlp import MLPStem
from dareps.errors import ConfigError, ContractError
from dareps.maths.domains import NormFactory, group_scope
from dareps.plugin import plugins
from dareps.sharing import Blueprint
from dareps.sharing import _encoders as many
from dareps.sharing._encoders import SeparateEncoders
from dareps.sharing._modules import Group
from dareps.types import Task

IMAGE, SEQUENCE, POINT = (1, 4, 4), (3, 8), (5,)
FORMS = {"images": IMAGE, "paths": SEQUENCE, "points": POINT}
WIDTH = 24
STEMS = [part() for part in plugins(Stem).values() if part.__module__.startswith("dareps.")]
BLOCKS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4)), min_size=1, max_size=4)


def stage(stem: Stem | None = None, **forms: tuple[int, ...]) -> StemStage:
    """A stage in float64 for images first, and sequences."""
    torch.manual_seed(0)
    own = forms or {"images": IMAGE, "paths": SEQUENCE}
    return StemStage(stem or LinearStem(), own, IMAGE).double()


def through(module: nn.Module, x: torch.Tensor, *groups: tuple[int, int]) -> torch.Tensor:
    with group_scope(groups):
        found: torch.Tensor = module(x)
    return found


def rows(count: int) -> torch.Tensor:
    return torch.linspace(-1, 1, count * WIDTH, dtype=torch.float64).sin().view(count, WIDTH)


def test_the_shipped_stems() -> None:
    assert {stem.name for stem in STEMS} == {"linear", "mlp", "conv1d"}
    assert type(Stem.bind({})) is LinearStem
    assert Stem.bind({"name": "mlp", "hidden": 7}) == MLPStem(hidden=7)


def test_the_encoders_own_form_is_only_unfolded() -> None:
    own, x = stage(), rows(5)
    assert torch.equal(through(own, x, (0, 5)), x[:, :16].view(5, *IMAGE))
    assert not list(stage(images=IMAGE, drawings=IMAGE).parameters())


def test_a_linear_stem_is_a_matrix_and_a_vector() -> None:
    own, x = stage(), rows(5)
    layer = own.own["paths"][1]
    expected = x @ layer.weight.T + layer.bias
    torch.testing.assert_close(through(own, x, (1, 5)), expected.view(5, *IMAGE))


def test_a_stem_with_a_hidden_layer_is_two_of_them() -> None:
    own, x = stage(MLPStem(hidden=6, activation="tanh")), rows(5)
    first, second = (layer for layer in own.own["paths"] if isinstance(layer, nn.Linear))
    hidden = (x @ first.weight.T + first.bias).tanh()
    assert hidden.shape == (5, 6)
    torch.testing.assert_close(through(own, x, (1, 5)), (hidden @ second.weight.T + second.bias).view(5, *IMAGE))


def test_what_lies_behind_a_row_is_not_read() -> None:
    own, x = stage(points=POINT, images=IMAGE), rows(4)
    changed = torch.cat([x[:, :5], x[:, 5:] + 7], dim=1)
    assert torch.equal(through(own, x, (0, 4)), through(own, changed, (0, 4)))


@pytest.mark.parametrize("stem", STEMS, ids=lambda stem: stem.name)
@given(form=st.tuples(st.integers(1, 4), st.integers(1, 9)), to=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_every_stem_gives_the_form_that_is_wanted(stem: Stem, form: tuple[int, int], to: list[int]) -> None:
    assert stem.build(form, tuple(to))(torch.zeros(2, *form)).shape == (2, *to)


@given(channels=st.integers(1, 5), kernel=st.integers(1, 8), times=st.integers(1, 20))
def test_convolutions_fit_any_kernel_and_length(channels: int, kernel: int, times: int) -> None:
    module = Conv1dStem(channels=channels, kernel=kernel).build((2, times), IMAGE)
    assert module(torch.zeros(3, 2, times)).shape == (3, *IMAGE)


@pytest.mark.parametrize("stem", STEMS, ids=lambda stem: stem.name)
@given(blocks=BLOCKS, values=arrays(np.float64, (16, WIDTH), elements=st.floats(-1, 1)))
def test_a_mixed_step_is_its_blocks_one_by_one(stem: Stem, blocks: list[tuple[int, int]], values: np.ndarray) -> None:
    own, x = stage(stem), torch.from_numpy(values)[: sum(count for _, count in blocks)]
    parts = zip(x.split([count for _, count in blocks]), blocks, strict=True)
    torch.testing.assert_close(
        through(own, x, *blocks), torch.cat([through(own, part, block) for part, block in parts])
    )


@pytest.mark.parametrize("stem", STEMS, ids=lambda stem: stem.name)
@given(values=arrays(np.float64, (7, WIDTH), elements=st.floats(0.1, 1)))
def test_a_gradient_comes_from_the_domains_own_rows_alone(stem: Stem, values: np.ndarray) -> None:
    own, x = stage(stem), torch.from_numpy(values)
    weights = list(own.parameters())
    slope = torch.cos(torch.arange(7 * 16.0, dtype=torch.float64)).view(7, *IMAGE)
    mixed = torch.autograd.grad((through(own, x, (0, 3), (1, 4)) * slope).sum(), weights)
    alone = torch.autograd.grad((through(own, x[3:], (1, 4)) * slope[3:]).sum(), weights)
    for one, other in zip(mixed, alone, strict=True):
        torch.testing.assert_close(one, other)
    assert any(one.abs().max() > 0 for one in mixed)
    pixels = x.clone().requires_grad_()
    (reached,) = torch.autograd.grad(through(own, pixels, (0, 3), (1, 4))[:3].sum(), pixels)
    assert torch.equal(reached[:3, :16], torch.ones(3, 16, dtype=torch.float64))
    assert not reached[3:].any()


def test_each_domain_has_a_stem_of_its_own() -> None:
    own = stage(images=IMAGE, paths=SEQUENCE, others=SEQUENCE)
    assert set(own.own) == {"paths", "others"}
    assert not torch.equal(through(own, rows(2), (1, 2)), through(own, rows(2), (2, 2)))


@pytest.mark.parametrize("stem", STEMS, ids=lambda stem: stem.name)
def test_stacked_stems_are_stems_one_by_one(stem: Stem) -> None:
    copies = [stage(stem) for _ in range(3)]
    for number, copy in enumerate(copies):
        for parameter in copy.parameters():
            parameter.data.add_(number / 10)
    x = torch.stack([rows(5) + number for number in range(3)])
    state = stack_module_state(copies)
    with group_scope([(0, 2), (1, 3)]):
        found = torch.vmap(lambda weights, buffers, own: functional_call(copies[0], (weights, buffers), (own,)))(
            *state, x
        )
        expected = torch.stack([copy(own) for copy, own in zip(copies, x, strict=True)])
    torch.testing.assert_close(found, expected)


def test_an_encoder_behind_its_stem_is_the_same_encoder() -> None:
    norm = NormFactory("joint", 2)
    encoder, own = MLP(width=3, depth=2).build(IMAGE, norm).double(), stage()
    before = encoder(rows(2)[:, :16].view(2, *IMAGE))
    found = behind(own, encoder, IMAGE)
    assert found.names == ("stem", "input", "layer1", "layer2")
    assert found.shapes == {"stem": IMAGE, "input": (16,), "layer1": (3,), "layer2": (3,)}
    assert found.features == 3
    assert torch.equal(through(found, rows(2), (0, 2)), before)
    with group_scope([(1, 2)]):
        assert {name: tuple(x.shape[1:]) for name, x in found.taps(rows(2)).items()} == found.shapes


def test_a_second_stage_of_the_name_is_refused() -> None:
    encoder = behind(stage(), MLP().build(IMAGE, NormFactory("joint", 2)), IMAGE)
    with pytest.raises(ConfigError, match="the encoder has a stage of this name itself"):
        behind(stage(), encoder, IMAGE)


@pytest.mark.parametrize("form", [IMAGE, POINT])
def test_convolutions_along_time_need_sequences(form: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"stem conv1d: needs sequences.*got \(.*Use mlp or linear"):
        Conv1dStem().build(form, SEQUENCE)


def test_a_stem_without_a_module_says_so() -> None:
    class Bare(Stem, abstract=True):
        name = "bare"

    with pytest.raises(ContractError, match=r"stem bare: it has no build\(\)"):
        Bare().build(POINT, IMAGE)


def test_branches_that_run_at_once_read_the_rows_of_their_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    norm, names = NormFactory("joint", 2), ("one", "two")
    tasks = tuple(Task(name, "classification", 2) for name in names)
    forms = {"images": IMAGE, "paths": SEQUENCE}

    def make() -> nn.Module:
        return behind(StemStage(LinearStem(), forms, IMAGE), Linear(width=3).build(IMAGE, norm), IMAGE)

    torch.manual_seed(0)
    module = SeparateEncoders(Blueprint(make, (WIDTH,), tasks, tuple(forms)), "tasks", names).double()  # type: ignore[arg-type]
    groups = [Group(2, "images", ()), Group(3, "paths", names)]
    found = []
    for count in (1, 99):
        monkeypatch.setattr(many, "_MANY", count)
        with group_scope([(0, 2), (1, 3)]):
            found.append(module(rows(5), groups, nn.ModuleDict())[1])
    for name in names:
        torch.testing.assert_close(found[0][name].task, found[1][name].task)
    assert math.prod(found[0]["one"].task.shape) == 9
