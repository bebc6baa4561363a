"""Low-rank adapters as modules: what they add to a layer, and how they are folded into it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dareps.errors import ConfigError
from dareps.maths.layers import ZeroConv1d, ZeroConv2d, ZeroLinear
from dareps.maths.staged import Staged
from dareps.plugin import suggestion
from dareps.transfer.low_rank import LowRank

Layer = nn.Linear | nn.Conv1d | nn.Conv2d
# Exact types: subclasses, such as the output layer of attention, may be read without being called.
_UP = {nn.Linear: ZeroLinear, nn.Conv1d: ZeroConv1d, nn.Conv2d: ZeroConv2d}


class Adapter(nn.Module):
    """x -> (alpha / rank) B A x, for a layer of which `down` has the kernel, stride and padding; `up` starts at 0."""

    def __init__(self, layer: Layer, settings: LowRank) -> None:
        super().__init__()
        rank, self.scale = settings.rank, settings.alpha / settings.rank
        if isinstance(layer, nn.Linear):
            self.down: nn.Module = nn.Linear(layer.in_features, rank, bias=False)
            self.up: nn.Module = ZeroLinear(rank, layer.out_features, bias=False)
            return
        if rank % layer.groups:
            what = f"a convolution has {layer.groups} groups, which the rank is no multiple of"
            raise ConfigError("adapters.rank", what, rank, "Choose a multiple, or other stages.")
        own = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups", "padding_mode")}
        self.down = type(layer)(layer.in_channels, rank, layer.kernel_size, bias=False, **own)
        self.up = _UP[type(layer)](rank, layer.out_channels, 1, groups=layer.groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """What is added to the layer's output for the input x, of its shape."""
        added: Tensor = self.up(self.down(x))
        return added * self.scale

    def change(self) -> Tensor:
        """(alpha / rank) B A as a change of the layer's weight, of its shape."""
        up, down = self.up.weight.flatten(1), self.down.weight
        groups = getattr(self.down, "groups", 1)
        parts = zip(up.chunk(groups), down.flatten(1).chunk(groups), strict=True)
        return torch.cat([b @ a for b, a in parts]).view(-1, *down.shape[1:]) * self.scale


def adapt(encoder: Staged, settings: LowRank | None) -> Staged:
    """Give the encoder's linear and convolutional layers adapters, each as the child `adapter`; none without settings.

    Raises:
        ConfigError: The encoder has no such stage, or no such layer in it.
    """
    if settings is None:
        return encoder
    layers = {stage: _layers(encoder, stage) for stage in settings.stages or encoder.names}
    idle = [stage for stage in settings.stages if not layers[stage]]
    if idle or not any(layers.values()):
        fix = "Name stages that have one, or leave adapters out."
        raise ConfigError("adapters.stages", "no linear or convolutional layer to adapt", list(layers), fix)
    for layer in [layer for own in layers.values() for layer in own]:
        layer.adapter = Adapter(layer, settings)
        layer.register_forward_hook(_add)
    return encoder


def _layers(encoder: Staged, stage: str) -> list[Layer]:
    if stage not in encoder.names:
        raise ConfigError("adapters.stages", "the encoder has no such stage", stage, suggestion(stage, encoder.names))
    return [module for module in encoder.chain[stage].modules() if type(module) in _UP]


def _add(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    added: Tensor = layer.adapter(inputs[0])
    return output + added


@torch.no_grad()
def fold(module: nn.Module) -> None:
    """Add what all adapters inside do to the weights beside them, and set the adapters to 0: outputs stay the same."""
    for layer in [child for child in module.modules() if isinstance(getattr(child, "adapter", None), Adapter)]:
        layer.weight += layer.adapter.change()
        layer.adapter.up.reset_parameters()
