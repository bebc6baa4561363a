"""Stochastic normalisation: its limits, its share of channels, its gradient, stacks."""

from __future__ import annotations

import copy

import pytest
import torch

from dareps.errors import ConfigError
from dareps.maths.domains import DomainNorm, group_scope, set_stochastic
from dareps.maths.noise import Noise, noise_scope
from dareps.recipe.bind import dump_run
from tests.engine._make import FLOAT64, NOISY, SHORT, distance, run_of, trainer_of, weights_of


def layer_of(channels: int, policy: str = "joint") -> DomainNorm:
    """A layer in float64 whose running statistics are no batch's."""
    layer = DomainNorm(channels, policy, 2).double()
    for name, buffer in layer.named_buffers():
        buffer.fill_(4.0 if "var" in name else 1.5)
    return layer


def passed(layer: DomainNorm, x: torch.Tensor, step: int = 0) -> torch.Tensor:
    """A pass in training at a step, the first half of the rows from one domain."""
    half = len(x) // 2
    with noise_scope(Noise(torch.tensor(3), torch.tensor(step))), group_scope([(0, half), (1, len(x) - half)]):
        return layer(x)


@pytest.mark.parametrize("policy", ["joint", "per_domain", "domain_specific"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3, 2)])
def test_the_limits_are_ordinary_and_running_statistics(policy, shape):
    x = torch.randn(shape, dtype=torch.float64)
    plain, never, always = (layer_of(5, policy) for _ in range(3))
    set_stochastic(never, 0.0, "here")
    set_stochastic(always, 1.0, "here")
    fixed = copy.deepcopy(plain).eval()
    ordinary, running = passed(plain, x), passed(fixed, x)
    assert torch.equal(passed(never, x), ordinary)
    assert torch.equal(passed(always, x), running)
    assert not torch.allclose(ordinary, running)
    for name, buffer in plain.named_buffers():
        assert torch.equal(buffer, dict(never.named_buffers())[name])
    for name, buffer in always.named_buffers():
        assert not torch.equal(buffer, dict(fixed.named_buffers())[name])


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_p_is_the_share_of_channels_that_take_the_running_statistics(probability):
    layer, channels, steps = layer_of(40), 40, 100
    layer.momentum = 0.0
    set_stochastic(layer, probability, "here")
    x = torch.randn(8, channels, dtype=torch.float64)
    running, batch = ((x - 1.5) / (4 + layer.eps) ** 0.5), layer_of(channels)(x)
    taken = []
    for step in range(steps):
        output = passed(layer, x, step)
        ours, theirs = ((output - other).abs().amax(0) < 1e-9 for other in (running, batch))
        assert torch.equal(ours, ~theirs)
        taken.append(ours)
    found = torch.stack(taken).double()
    bound = 5 * (probability * (1 - probability) / found.numel()) ** 0.5
    assert abs(found.mean().item() - probability) < bound
    assert (found.mean(0) - probability).abs().max() < 5 * (probability * (1 - probability) / steps) ** 0.5


def test_gradients_are_right_while_the_statistics_move():
    layer = layer_of(6)
    set_stochastic(layer, 0.5, "here")
    x = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)

    def again(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        own = copy.deepcopy(layer)
        with noise_scope(Noise(torch.tensor(3), torch.tensor(0))):
            return torch.func.functional_call(own, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(again, (x, layer.weight, layer.bias))
    first = torch.autograd.grad(passed(layer, x).square().sum(), x)[0]
    assert torch.isfinite(first).all()


@pytest.mark.parametrize("normalise", ["joint", "domain_specific"])
def test_stacked_seeds_draw_as_if_alone(normalise):
    own = (("normalise", normalise), ("phases.*.stochastic_norm", 0.5))
    plain_settings = (*SHORT, *FLOAT64, *NOISY, own[0])
    runs = [run_of("dann", (*plain_settings, own[1]), seed) for seed in (0, 1)]
    together, alone, plain = trainer_of(runs), trainer_of(runs[1:]), trainer_of([run_of("dann", plain_settings, 1)])
    for trainer in (together, alone, plain):
        trainer.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9
    assert distance(weights_of(plain), weights_of(alone)) > 1e-3


def test_it_ends_with_its_phase():
    layer = layer_of(3)
    set_stochastic(layer, 0.5, "here")
    set_stochastic(layer, None, "here")
    x = torch.randn(4, 3, dtype=torch.float64)
    assert torch.equal(passed(layer, x), passed(layer_of(3), x))


@pytest.mark.parametrize("more", [(("normalise", "frozen"),), (("encoder", {"name": "mlp", "width": 8}),)])
def test_a_probability_that_would_act_on_nothing_is_refused(more):
    overrides = (*SHORT, *NOISY, *more, ("phases.*.stochastic_norm", 0.5))
    with pytest.raises(ConfigError, match=r"phases\.0\.stochastic_norm: no layer"):
        trainer_of([run_of("source_only", overrides)]).train()


def test_left_open_it_goes_unsaid():
    assert "stochastic_norm" not in dump_run(run_of("source_only"))["method"]["phases"][0]
