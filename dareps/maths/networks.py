"""What a method predicts with, and copies of it that alignments and regularisers keep."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Networks(nn.Module):
    """An encoder by sharing scheme, and a head per task.

    Args:
        encoder: (rows (n, *shape), groups) -> representations.
        heads: Task -> module.
    """

    def __init__(self, encoder: nn.Module, heads: nn.Module) -> None:
        super().__init__()
        self.encoder, self.heads = encoder, heads

    def forward(self, joined: Tensor, groups: Sequence[Any]) -> Any:
        """What the encoder makes of rows (n, *shape) that are the groups' in order."""
        return self.encoder(joined, groups, self.heads)


class Copy(Networks):
    """Networks made of buffers: no gradient, no optimizer, part of every checkpoint.

    Args:
        student: What is copied.
        still: Whether it is always in evaluation mode, or else in the mode of what it belongs to.
    """

    def __init__(self, student: Networks, *, still: bool = True) -> None:
        super().__init__(_of_buffers(student.encoder), _of_buffers(student.heads))
        self.still = still
        self.train(student.training)

    def train(self, mode: bool = True) -> Copy:
        """Enter training mode, unless it is to keep still, or evaluation mode."""
        super().train(mode and not self.still)
        return self

    def take(self, student: Networks) -> None:
        """Become equal to the student."""
        for _, mine, theirs in self._pairs(student):
            mine.copy_(theirs)

    def follow(self, student: Networks, decay: float) -> None:
        """Move weights to decay * own + (1 - decay) * the student's; statistics become the student's.

        Written as a step towards the student, so that equal weights stay equal to the last bit.
        """
        for learned, mine, theirs in self._pairs(student):
            if learned:
                mine.add_(theirs - mine, alpha=1 - decay)
            else:
                mine.copy_(theirs)

    def _pairs(self, student: Networks) -> Iterator[tuple[bool, Tensor, Tensor]]:
        """(is a parameter of the student's, own tensor, the student's)."""
        own = dict(self.named_buffers())
        for name, weight in student.named_parameters():
            yield True, own[name], weight.detach()
        for name, statistic in student.named_buffers():
            yield False, own[name], statistic


def _of_buffers(module: nn.Module) -> nn.Module:
    """A deep copy of the module whose parameters are buffers."""
    twin = copy.deepcopy(module)
    for part in twin.modules():
        for name, value in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, value.detach().clone(memory_format=torch.preserve_format))
    return twin
