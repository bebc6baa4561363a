"""One adapted layer by peft and by this framework: the largest differences of outputs and gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from dareps.maths.staged import Staged
from dareps.transfer import LowRank
from dareps.transfer._low_rank import adapt

RANK: Final = 4
ALPHA: Final = 6
# No groups: peft then lets A mix them, which no change of the weight does, so that it cannot be folded.
LAYERS: Mapping[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(20, 12), (16, 20)),
    "convolution": (lambda: nn.Conv2d(3, 8, 5, stride=2, padding=2), (6, 3, 14, 13)),
    "convolution of sequences": (lambda: nn.Conv1d(5, 7, 3), (6, 5, 12)),
}


def differences() -> dict[str, dict[str, float]]:
    """Layer -> largest absolute difference of the outputs at the start and with drawn A and B, and of all gradients."""
    torch.manual_seed(0)
    return {name: _compared(make().double(), torch.randn(shape).double()) for name, (make, shape) in LAYERS.items()}


def _compared(layer: nn.Module, x: Tensor) -> dict[str, float]:
    theirs: Any = _theirs(copy.deepcopy(layer))
    ours: Any = _ours(copy.deepcopy(layer))
    start = _largest(ours(x), theirs(x))
    for mine, other in ((ours.adapter.down, theirs.lora_A["default"]), (ours.adapter.up, theirs.lora_B["default"])):
        nn.init.normal_(other.weight)
        mine.load_state_dict(other.state_dict())
    found = [_gradients(module, x, parts) for module, parts in ((ours, _parts(ours)), (theirs, _their_parts(theirs)))]
    (output, *gradients), (expected, *others) = found
    pairs = zip(gradients, others, strict=True)
    return {"start": start, "output": _largest(output, expected), "gradient": max(_largest(a, b) for a, b in pairs)}


def _ours(layer: nn.Module) -> nn.Module:
    encoder = Staged()
    encoder.names, encoder.chain = ("only",), nn.ModuleDict({"only": layer})
    adapt(encoder, LowRank(rank=RANK, alpha=ALPHA)).double()
    return layer


def _theirs(layer: nn.Module) -> nn.Module:
    settings = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["0"])
    model = get_peft_model(nn.Sequential(layer), settings).double()
    found: nn.Module = model.base_model.model[0]
    return found


def _parts(layer: Any) -> list[Tensor]:
    return [layer.adapter.down.weight, layer.adapter.up.weight]


def _their_parts(layer: Any) -> list[Tensor]:
    return [layer.lora_A["default"].weight, layer.lora_B["default"].weight]


def _gradients(module: nn.Module, x: Tensor, parts: list[Tensor]) -> list[Tensor]:
    """The output, and gradients of a curved function of it by the input and the parts."""
    rows = x.clone().requires_grad_()
    output: Tensor = module(rows)
    return [output.detach(), *torch.autograd.grad(output.sin().sum(), [rows, *parts])]


def _largest(one: Tensor, other: Tensor) -> float:
    return (one - other).abs().max().item()
