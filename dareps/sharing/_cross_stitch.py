"""Encoders that exchange features after every stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from dareps.maths.staged import Staged
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import every
from dareps.sharing._encoders import SeparateEncoders, with_parameters
from dareps.sharing._modules import Found, Group
from dareps.types import Along, Representation

MakeUnit = Callable[[str, tuple[int, ...]], nn.Module]
"""(stage, shape of one row after it) -> module on what all branches made of the rows, (T, n, *shape) both ways."""


class StitchUnit(nn.Module):
    """y_t = sum over u of alpha_{tu} * x_u for x (T, n, channels, ...), channel by channel.

    Args:
        branches: T.
        channels: Size of the axis after the rows.
        own: Where alpha_tt starts; the others share the rest.
    """

    def __init__(self, branches: int, channels: int, own: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(mixture(branches, own)[..., None].repeat(1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """The mixtures, same shape as x."""
        alpha = self.alpha.view(*self.alpha.shape[:2], 1, -1, *(1,) * (x.dim() - 3))
        return (alpha * x).sum(1)


def mixture(count: int, own: float) -> Tensor:
    """Weights (count, count) of which each row sums to 1 and holds `own` on the diagonal."""
    return torch.full((count, count), (1 - own) / (count - 1)).fill_diagonal_(own)


class StitchedEncoders(SeparateEncoders):
    """An encoder for each branch, and a mixture of all branches after each stage with parameters.

    Args:
        unit: Makes the mixture after a stage.
        rate: Multiple of the learning rate at which mixtures learn.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, unit: MakeUnit, rate: float, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        self.rate = rate
        first = self.staged(0)
        self.stages = first.names
        self.units = nn.ModuleDict({stage: unit(stage, first.shapes[stage]) for stage in with_parameters(first)})

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """All branches on all rows, stage by stage."""
        flow, chosen = self.flow(joined, groups), every(groups)
        x = [joined] * len(self.names)
        mixed: list[dict[str, Tensor]] = [{} for _ in x]
        for stage in self.stages:
            x = [flow.through(self.staged(branch).chain[stage], chosen, rows) for branch, rows in enumerate(x)]
            if stage in self.units:
                x = list(self.units[stage](torch.stack(x)).unbind())
                mixed = [{**before, stage: rows} for before, rows in zip(mixed, x, strict=True)]
        blocks = [flow.blocks(self.read(branch, rows, mixed[branch]), chosen) for branch, rows in enumerate(x)]

        def make(group: int, branch: int) -> Representation:
            return Representation(task=blocks[branch][group], shared=blocks[branch][group])

        return self.gather(groups, make)

    def read(self, branch: int, last: Tensor, mixed: Mapping[str, Tensor]) -> Tensor:
        """A branch's features (n, d) from its last output and from its mixtures by stage."""
        return last

    def faster(self) -> dict[str, float]:
        """The mixtures."""
        return {f"units.{name}": self.rate for name, _ in self.units.named_parameters()}

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """None: every branch is part of all mixtures."""
        return ()

    def staged(self, branch: int) -> Staged:
        """A branch's encoder."""
        encoder = self.branches[branch]
        assert isinstance(encoder, Staged)
        return encoder
