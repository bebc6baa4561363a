"""Encoders of series: what they compute, what they refuse, and stacked seeds, autocast and keyed dropout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, jvp, stack_module_state

from dareps.encoders._base import Encoder
from dareps.encoders._series import Attention, GivenPlaces, LearnedPlaces, waves
from dareps.encoders._stages import Stages
from dareps.encoders.conv1d import Conv1d
from dareps.encoders.series_transformer import SeriesTransformer
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory, group_scope
from dareps.maths.noise import Noise, name_places, noise_scope
from dareps.recipe.bind import bind_run
from dareps.recipe.initial import initialise

SHAPE = (3, 32)
ENCODERS = {
    "conv1d": Conv1d(channels=(4, 6), kernels=(5, 3), width=7, dropout=0.2),
    "series_transformer": SeriesTransformer(embedding=8, heads=2, hidden=12, width=7, dropout=0.2),
    "sinusoidal": SeriesTransformer(embedding=8, heads=2, hidden=12, width=7, positions="sinusoidal"),
}
SPLIT = "sensors/phone:phone2"


def built(encoder: Encoder, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Stages:
    """The stages with a seed's weights, joint normalisation, in float64."""
    stages = encoder.build(shape, NormFactory("joint", 1))
    name_places(stages)
    with torch.random.fork_rng(devices=[]):
        initialise(stages, seed)
    return stages.double()


def rows(n: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.linspace(-3, 3, n * math.prod(shape), dtype=torch.float64).mul(7).sin().view(n, *shape)


def through(stages: nn.Module, x: Tensor, seed: Tensor | None = None) -> Tensor:
    noise = Noise(torch.tensor(0) if seed is None else seed, torch.tensor(3))
    with group_scope([(0, len(x))]), noise_scope(noise):
        found: Tensor = stages(x)
    return found


def test_the_stages_and_their_shapes_have_channels_before_places() -> None:
    assert built(ENCODERS["conv1d"]).shapes == {"conv1": (4, 16), "conv2": (6, 8), "dense": (7,)}
    shapes = {"patches": (8, 7), "block1": (8, 7), "block2": (8, 7), "dense": (7,)}
    assert built(ENCODERS["series_transformer"]).shapes == shapes
    long = Conv1d(channels=(2,) * 4, kernels=(3,)).build((1, 96), NormFactory("joint", 1))
    assert long.shapes["conv4"] == (2, 6)


@given(level=st.floats(-5, 5), length=st.integers(9, 40))
def test_a_constant_series_gives_what_one_number_gives(level: float, length: int) -> None:
    """Kernels of 1 see no edge: then the length of a constant series does not matter, and convolutions are products."""
    encoder = Conv1d(channels=(4, 6), kernels=(1,), width=7, norm=False)
    stages = built(encoder, shape=(2, length))
    x = torch.full((1, 2, length), level, dtype=torch.float64)
    h = x[:, :, 0]
    for name in ("conv1", "conv2"):
        layer = stages.chain[name][0]
        h = (h @ layer.weight[:, :, 0].T + layer.bias).relu()
    top = stages.chain["dense"][1]
    expected = (h @ top.weight.T + top.bias).relu()
    assert torch.allclose(through(stages, x), expected, atol=1e-12)


def test_a_shift_by_whole_pools_far_from_the_edges_changes_nothing() -> None:
    stages = built(ENCODERS["conv1d"]).eval()
    x = torch.zeros(2, 3, 32, dtype=torch.float64)
    x[0, :, 12:15] = x[1, :, 16:19] = rows(1)[0, :, :3]
    first, second = through(stages, x)
    assert torch.allclose(first, second, atol=1e-12)


def test_attention_is_its_formula() -> None:
    module = Attention(6, 2).double()
    x = rows(2, (5, 6))
    query, key, value = (x @ weight.T for weight in module.inputs.weight.chunk(3))
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        fit = torch.einsum("nqc,nkc->nqk", query[..., part], key[..., part]) / math.sqrt(3)
        heads.append(torch.einsum("nqk,nkc->nqc", fit.softmax(-1), value[..., part]))
    assert torch.allclose(module(x), module.output(torch.cat(heads, -1)))


def test_attention_without_places_does_not_know_the_order_and_with_them_it_does() -> None:
    encoder = ENCODERS["series_transformer"].model_copy(update={"patch": 4, "stride": 4})
    stages = built(encoder).eval()
    x = rows(1)
    mixed = x.view(1, 3, 8, 4)[:, :, [3, 1, 7, 0, 2, 6, 5, 4]].reshape(1, 3, 32)
    assert not torch.allclose(through(stages, x), through(stages, mixed), atol=1e-6)
    with torch.no_grad():
        stages.chain["patches"][1].table.zero_()
    assert torch.allclose(through(stages, x), through(stages, mixed), atol=1e-12)


def test_given_places_are_waves_that_differ_and_nothing_draws_them() -> None:
    table = waves(50, 8).double()
    place = torch.arange(50).double()
    assert torch.allclose(table[0], place.sin(), atol=1e-6)
    assert torch.allclose(table[3], (place / 10_000 ** (2 / 8)).cos(), atol=1e-6)
    assert torch.allclose(table.unflatten(0, (4, 2)).square().sum(1), torch.ones(4, 50).double(), atol=1e-6)
    assert float(torch.cdist(table.T, table.T).add(torch.eye(50) * 9).min()) > 0.1
    given_places = GivenPlaces(50, 8)
    assert list(given_places.parameters()) == []
    assert torch.equal(given_places(torch.zeros(1, 8, 50))[0], waves(50, 8))


def test_places_start_by_the_seed_and_small() -> None:
    tables = []
    for seed in (0, 0, 1):
        places = LearnedPlaces(30, 16)
        with torch.random.fork_rng(devices=[]):
            initialise(places, seed)
        tables.append(places.table.detach())
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])
    assert float(tables[0].std()) == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize("name", ENCODERS)
def test_stacked_copies_compute_what_each_computes_alone(name: str) -> None:
    copies = [built(ENCODERS[name], seed) for seed in range(3)]
    x, seeds = rows(18).view(3, 6, *SHAPE), torch.arange(3)
    parameters, buffers = stack_module_state(copies)  # type: ignore[arg-type]

    def one(weights: Mapping[str, Tensor], own: Mapping[str, Tensor], x: Tensor, seed: Tensor) -> Tensor:
        class Call(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                found: Tensor = functional_call(copies[0], (dict(weights), dict(own)), (x,))
                return found

        return through(Call(), x, seed)

    together = torch.vmap(one)(parameters, buffers, x, seeds)
    gradients = torch.autograd.grad(together.square().sum(), list(parameters.values()))
    for number, copy in enumerate(copies):
        alone = through(copy, x[number], seeds[number])
        assert torch.allclose(together[number], alone, atol=1e-12)
        own = torch.autograd.grad(alone.square().sum(), list(copy.parameters()))
        assert all(torch.allclose(s[number], g, atol=1e-10) for s, g in zip(gradients, own, strict=True))


@pytest.mark.parametrize("name", ENCODERS)
def test_no_weight_is_without_effect(name: str) -> None:
    """Where there is no gradient Adam would turn rounding into steps, and stacked runs would part."""
    stages = built(ENCODERS[name].model_copy(update={"activation": "tanh"}))
    through(stages, rows(12)).pow(3).sum().backward()
    sizes = {
        path: float(weight.grad.abs().max()) for path, weight in stages.named_parameters() if weight.grad is not None
    }
    assert len(sizes) == len(list(stages.parameters()))
    assert {path: size for path, size in sizes.items() if size < 1e-6} == {}


@pytest.mark.parametrize("name", ENCODERS)
def test_under_autocast_features_are_those_of_single_precision(name: str) -> None:
    stages, x = built(ENCODERS[name]).float().eval(), rows(16).float()
    plain = through(stages, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = through(stages, x).detach()
    assert narrow.dtype == torch.bfloat16
    assert float((narrow - plain).detach().abs().max()) < 0.05 * float(plain.detach().abs().max())


@pytest.mark.parametrize("name", ENCODERS)
def test_forward_derivatives_are_there(name: str) -> None:
    stages, x = built(ENCODERS[name]).eval(), rows(4)
    along = rows(4).cos()
    _, found = jvp(lambda own: through(stages, own), (x,), (along,))
    step = 1e-6
    expected = (through(stages, x + step * along) - through(stages, x - step * along)) / (2 * step)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["conv1d", "series_transformer"])
def test_dropout_is_keyed_and_off_in_evaluation(name: str) -> None:
    stages, x = built(ENCODERS[name]), rows(6)
    seeds = torch.tensor([0, 0, 1])
    one, again, other = (through(stages, x, seed) for seed in seeds)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    stages.eval()
    assert torch.equal(through(stages, x, seeds[0]), through(stages, x, seeds[2]))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"name": "conv1d", "channels": [4, 4], "kernels": [3, 3, 3]}, "give one kernel, or 2"),
        ({"name": "conv1d", "channels": []}, "at least 1"),
        ({"name": "conv1d", "kernels": [0, 3, 3]}, "greater than 0"),
        ({"name": "series_transformer", "embedding": 10, "heads": 4}, "embedding = 10 must be a multiple"),
        ({"name": "series_transformer", "positions": "none"}, "positions"),
    ],
)
def test_wrong_settings_are_one_message(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        bind_run("source_only", SPLIT, overrides=[("encoder", settings)])


@pytest.mark.parametrize(
    ("encoder", "shape", "told"),
    [
        (Conv1d(), (3, 8, 8), r"needs series \(channels, length\), got \(3, 8, 8\). Use digit_cnn"),
        (SeriesTransformer(), (20,), r"needs series.*got \(20,\)"),
        (Conv1d(), (2, 7), "too short for 3 blocks"),
        (SeriesTransformer(), (2, 7), r"shorter than a piece of 8.*Set encoder.patch=7 or less"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(encoder: Encoder, shape: tuple[int, ...], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        encoder.build(shape, NormFactory("joint", 1))


def test_the_shortest_series_that_fit() -> None:
    assert built(Conv1d(), shape=(2, 8)).shapes["conv3"] == (32, 1)
    assert built(SeriesTransformer(), shape=(2, 8)).shapes["patches"] == (32, 1)
