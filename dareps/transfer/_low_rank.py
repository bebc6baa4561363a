"""Low-rank adapters as modules: what they add to a layer, and how they are folded into it."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from dareps.errors import ConfigError
from dareps.maths.layers import ZeroConv1d, ZeroConv2d, ZeroLinear
from dareps.maths.staged import Staged
from dareps.plugin import suggestion
from dareps.transfer.low_rank import LowRank

# Exact types: subclasses, such as the output layer of attention, may be read without being called.
_UP: dict[type[nn.Module], Any] = {nn.Linear: ZeroLinear, nn.Conv1d: ZeroConv1d, nn.Conv2d: ZeroConv2d}


class Adapter(nn.Module):
    """x -> (alpha / rank) B A x; A, with kernel, stride and padding of the layer, is `down`, B is `up`, 0 at first."""

    down: Any
    up: Any

    def __init__(self, layer: Any, settings: LowRank) -> None:
        super().__init__()
        rank, self.scale = settings.rank, settings.alpha / settings.rank
        if isinstance(layer, nn.Linear):
            self.down = nn.Linear(layer.in_features, rank, bias=False)
            self.up = ZeroLinear(rank, layer.out_features, bias=False)
            return
        if rank % layer.groups:
            fix = f"Choose a multiple of a convolution's {layer.groups} groups."
            raise ConfigError("adapters.rank", "does not divide among groups", rank, fix)
        names = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        kind: Any = type(layer)
        self.down = kind(layer.in_channels, rank, bias=False, **{name: getattr(layer, name) for name in names})
        self.up = _UP[kind](rank, layer.out_channels, 1, groups=layer.groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """What is added to the layer's output for the input x, of its shape."""
        return cast(Tensor, self.up(self.down(x))) * self.scale

    def change(self) -> Tensor:
        """(alpha / rank) B A as a change of the layer's weight, of its shape."""
        down, count = self.down.weight, getattr(self.down, "groups", 1)
        pairs = zip(self.up.weight.flatten(1).chunk(count), down.flatten(1).chunk(count), strict=True)
        return torch.cat([b @ a for b, a in pairs]).view(-1, *down.shape[1:]) * self.scale


def adapt(encoder: Staged, settings: LowRank | None) -> Staged:
    """Give layers of the encoder adapters, each as the child `adapter`; an unfit stage is a `ConfigError`."""
    for layer in [] if settings is None else _layers(encoder, settings.stages):
        layer.adapter = Adapter(layer, cast(LowRank, settings))
        layer.register_forward_hook(_add)
    return encoder


def _add(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output + cast(Tensor, layer.adapter(inputs[0]))


def _layers(encoder: Staged, stages: tuple[str, ...]) -> list[Any]:
    for stage in set(stages) - set(encoder.names):
        raise ConfigError("adapters.stages", "no such stage", stage, suggestion(stage, encoder.names))
    within = [encoder.chain[stage] for stage in stages or encoder.names]
    found = [[layer for layer in stage.modules() if type(layer) in _UP] for stage in within]
    if not (all(found) if stages else any(found)):
        what = f"there is no linear layer and no convolution in {'one of them' if stages else 'the encoder'}"
        raise ConfigError("adapters.stages", what, list(stages), "Name other stages, or leave adapters out.")
    return [layer for own in found for layer in own]


@torch.no_grad()
def fold(module: nn.Module) -> None:
    """Add what the adapters inside do to the weights beside them, and set B to 0; outputs stay, but for rounding."""
    for layer in [cast(Any, own) for own in module.modules() if isinstance(getattr(own, "adapter", None), Adapter)]:
        layer.weight += layer.adapter.change()
        layer.adapter.up.reset_parameters()
