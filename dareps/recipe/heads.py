"""What heads make of representations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from dareps.maths.precision import wide
from dareps.recipe import task_losses
from dareps.types import Representation, Task


def outputs(heads: nn.ModuleDict, found: Mapping[str, Representation]) -> dict[str, Tensor]:
    """The outputs (n, size) of each task's head; many heads of one shape are one product.

    Args:
        heads: Task -> linear layer.
        found: Task -> what its head reads.
    """
    if len(found) < task_losses.MANY:  # Looking for heads that are alike takes longer than a few heads do.
        return {name: wide(heads[name](own.task)) for name, own in found.items()}
    alike: dict[tuple[int, ...], list[str]] = {}
    for name in found:
        alike.setdefault(tuple(_linear(heads, name).weight.shape), []).append(name)
    made: dict[str, Tensor] = {}
    for names in alike.values():
        if len(names) < task_losses.MANY:
            made |= {name: wide(heads[name](found[name].task)) for name in names}
        else:
            made |= dict(zip(names, _at_once(heads, names, found).unbind(), strict=True))
    return {name: made[name] for name in found}


def _at_once(heads: nn.ModuleDict, names: Sequence[str], found: Mapping[str, Representation]) -> Tensor:
    """(T, n, size) of T heads."""
    own = [_linear(heads, name) for name in names]
    weights, biases = torch.stack([head.weight for head in own]), torch.stack([head.bias for head in own])
    features = torch.stack([found[name].task for name in names])
    return wide(features @ weights.mT + biases.unsqueeze(1))


def _linear(heads: nn.ModuleDict, name: str) -> nn.Linear:
    return cast(nn.Linear, heads[name])


def undecided(tasks: Sequence[Task]) -> nn.ModuleDict:
    """Stands in for heads as long as nobody knows how wide they are: outputs (n, size) of 0."""
    return nn.ModuleDict({task.name: _Zeros(task.size) for task in tasks})


class _Zeros(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x), self.size)
