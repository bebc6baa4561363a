"""Encoders that exchange features after every stage."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dareps.maths.staged import Staged
from dareps.sharing._base import Along, Blueprint
from dareps.sharing._branched import Flow, every
from dareps.sharing._encoders import SeparateEncoders, with_parameters
from dareps.sharing._modules import Found, Group
from dareps.types import Representation


class StitchUnit(nn.Module):
    """y_t = sum over u of alpha_{tu} * x_u for x (T, n, channels, ...), channel by channel.

    Args:
        branches: T.
        channels: Size of the axis after the rows.
        own: Where alpha_tt starts; the others share the rest.
    """

    def __init__(self, branches: int, channels: int, own: float) -> None:
        super().__init__()
        start = torch.full((branches, branches), (1 - own) / (branches - 1)).fill_diagonal_(own)
        self.alpha = nn.Parameter(start[..., None].repeat(1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """The mixtures, same shape as x."""
        alpha = self.alpha.view(*self.alpha.shape[:2], 1, -1, *(1,) * (x.dim() - 3))
        return (alpha * x).sum(1)


class StitchedEncoders(SeparateEncoders):
    """An encoder for each branch, and a mixture of all branches after each stage with parameters.

    Args:
        own: Where the weight of a branch's own features starts.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, own: float, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        first = self.branches[0]
        assert isinstance(first, Staged)
        self.stages = first.names
        channels = {stage: first.shapes[stage][0] for stage in with_parameters(first)}
        self.units = nn.ModuleDict({stage: StitchUnit(len(names), size, own) for stage, size in channels.items()})

    def forward(self, joined: Tensor, groups: Sequence[Group]) -> Found:
        """All branches on all rows, stage by stage."""
        flow, chosen = self.flow(joined, groups), every(groups)
        x = [joined] * len(self.names)
        for stage in self.stages:
            x = [self._stage(flow, branch, stage, rows) for branch, rows in enumerate(x)]
            if stage in self.units:
                x = list(self.units[stage](torch.stack(x)).unbind())
        blocks = [flow.blocks(features, chosen) for features in x]

        def make(group: int, branch: int) -> Representation:
            return Representation(task=blocks[branch][group], shared=blocks[branch][group])

        return self.gather(groups, make)

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """None: every branch is part of all mixtures."""
        return ()

    def _stage(self, flow: Flow, branch: int, stage: str, x: Tensor) -> Tensor:
        encoder = self.branches[branch]
        assert isinstance(encoder, Staged)
        return flow.through(encoder.chain[stage], every(flow.groups), x)
