"""Low-rank adapters: the formula, the start, which phases train them, folding, stacks."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from dareps.errors import ConfigError
from dareps.maths.staged import Staged
from dareps.recipe.bind import dump_run
from dareps.transfer import LowRank
from dareps.transfer._low_rank import Adapter, adapt, fold
from tests.engine._make import FLOAT64, NOISY, SHORT, distance, run_of, trainer_of, weights_of

CNN = (("encoder", {"name": "digit_cnn", "padding": 2, "channels": [3, 4], "width": 8, "dropout": 0.2}),)
ADAPTED = (("adapters", {"rank": 2}),)
LAYERS = {
    "linear": (lambda: nn.Linear(5, 4), (3, 5)),
    "strided": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), (2, 4, 7, 8)),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), (2, 4, 7, 8)),
    "sequence": (lambda: nn.Conv1d(3, 2, 3, dilation=2, padding="same"), (2, 3, 9)),
}
VALUES = st.floats(-3, 3, width=32)


def staged(layer: nn.Module) -> Staged:
    """A chain of the stages `plain` and `deep`, the latter with the layer."""
    encoder = Staged()
    encoder.names = ("plain", "deep")
    encoder.chain = nn.ModuleDict({"plain": nn.ReLU(), "deep": nn.Sequential(layer)})
    return encoder


def moved(kind: str, settings: LowRank) -> tuple[Staged, nn.Module, torch.Tensor]:
    """An adapted chain in float64 whose B is not 0, the layer it was made from, and rows."""
    make, shape = LAYERS[kind]
    layer = make().double()
    encoder = adapt(staged(copy.deepcopy(layer)), settings).double()
    for module in encoder.modules():
        if isinstance(module, Adapter):
            nn.init.normal_(module.up.weight)
    return encoder, layer, torch.randn(shape, dtype=torch.float64)


@given(
    arrays(np.float64, (3, 5), elements=VALUES), arrays(np.float64, (2, 5), elements=VALUES),
    arrays(np.float64, (4, 2), elements=VALUES), st.sampled_from([0.5, 2.0, 8.0]),
)  # fmt: skip
def test_a_linear_layer_follows_the_formula_and_so_do_its_gradients(x, down, up, alpha):
    encoder, layer, _ = moved("linear", LowRank(rank=2, alpha=alpha))
    adapter = encoder.chain["deep"][0].adapter
    with torch.no_grad():
        adapter.down.weight.copy_(torch.from_numpy(down))
        adapter.up.weight.copy_(torch.from_numpy(up))
    rows = torch.from_numpy(x).requires_grad_()
    output = encoder.chain["deep"](rows)
    output.sum().backward()
    weight, ones, scale = layer.weight.detach().numpy(), np.ones((3, 4)), alpha / 2
    expected = x @ weight.T + layer.bias.detach().numpy() + scale * x @ down.T @ up.T
    np.testing.assert_allclose(output.detach().numpy(), expected, atol=1e-10)
    np.testing.assert_allclose(rows.grad.numpy(), ones @ (weight + scale * up @ down), atol=1e-10)
    np.testing.assert_allclose(adapter.up.weight.grad.numpy(), scale * ones.T @ x @ down.T, atol=1e-10)
    np.testing.assert_allclose(adapter.down.weight.grad.numpy(), scale * up.T @ ones.T @ x, atol=1e-10)


@pytest.mark.parametrize("kind", LAYERS)
def test_adapters_start_at_nothing_and_fold_into_the_weights(kind):
    encoder, layer, x = moved(kind, LowRank(rank=4, alpha=6))
    stage = encoder.chain["deep"]
    before = stage(x)
    assert (before - layer(x)).abs().max() > 1e-3
    fold(encoder)
    torch.testing.assert_close(stage(x), before, rtol=0, atol=1e-12)
    assert not stage[0].adapter.up.weight.any()
    stage[0].weight = layer.weight
    assert torch.equal(stage(x), layer(x))


def test_copies_have_adapters_of_their_own():
    encoder, _, x = moved("strided", LowRank(rank=1))
    other, before = copy.deepcopy(encoder), encoder.chain["deep"](x)
    nn.init.zeros_(other.chain["deep"][0].adapter.up.weight)
    assert torch.equal(encoder.chain["deep"](x), before)
    assert not torch.equal(other.chain["deep"](x), before)


def test_mixed_precision_reaches_the_adapters():
    encoder, _, x = moved("linear", LowRank())
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder.float().chain["deep"](x.float()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("layer", "settings", "said"),
    [
        (nn.Linear(2, 2), LowRank(stages=("dep",)), "deep"),
        (nn.Linear(2, 2), LowRank(stages=("plain", "deep")), "one of them"),
        (nn.ReLU(), LowRank(), "no linear layer and no convolution"),
        (nn.Conv2d(4, 4, 1, groups=4), LowRank(rank=6), "4 groups"),
    ],
)
def test_what_cannot_be_adapted_is_refused(layer, settings, said):
    with pytest.raises(ConfigError, match=said):
        adapt(staged(layer), settings)


@pytest.mark.parametrize("encoder", [NOISY, CNN])
def test_a_phase_that_does_not_name_adapters_trains_as_without_them(encoder):
    plain, adapted = (trainer_of([run_of("dann", (*SHORT, *encoder, *more))]) for more in ((), ADAPTED))
    start = weights_of(adapted)
    plain.train()
    adapted.train()
    ours, theirs = weights_of(adapted), weights_of(plain)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    added = ours.keys() - theirs.keys()
    assert added
    assert all(torch.equal(ours[name], start[name]) for name in added)


def test_the_adapter_recipe_moves_adapters_and_heads_alone_below_no_cut():
    only = (("phases.*.trains", ["adapters", "heads"]), ("phases.*.freeze_below", "conv2"))
    trainer = trainer_of([run_of("source_only", (*SHORT, *CNN, *ADAPTED, *only))])
    before = weights_of(trainer)
    trainer.train()
    after = weights_of(trainer)
    moved_ones = {name for name in after if not torch.equal(after[name], before[name])}
    assert {name.split(".")[3] if "adapter" in name else name.split(".")[0] for name in moved_ones} == {
        "conv2", "dense", "heads",
    }  # fmt: skip


def test_stacked_adapters_train_as_if_alone():
    own = (("phases.*.trains", ["adapters", "heads", "align"]), ("adapters.stages", ["conv2", "dense"]))
    runs = [run_of("dann", (*SHORT, *FLOAT64, *CNN, *ADAPTED, *own), seed) for seed in (0, 1)]
    together, alone = trainer_of(runs), trainer_of(runs[1:])
    together.train()
    alone.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9
    assert not any("conv1" in name and "adapter" in name for name in weights_of(alone))


def test_adapters_that_a_method_lacks_cannot_be_trained():
    with pytest.raises(ConfigError, match="no such part of the method, got 'adapters'"):
        trainer_of([run_of("source_only", (*SHORT, ("phases.*.trains", ["adapters"])))]).train()


def test_no_adapters_go_unsaid():
    assert "adapters" not in dump_run(run_of("source_only"))["method"]
    assert dump_run(run_of("source_only", (*SHORT, *ADAPTED)))["method"]["adapters"]["rank"] == 2
