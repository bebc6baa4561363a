"""Experts on several levels, with a stream per branch and a shared one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from dareps.maths.staged import Staged
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import BranchedModule, Flow
from dareps.sharing._encoders import with_parameters
from dareps.sharing._experts import GATE, Gate, mixed, uses
from dareps.sharing._modules import Found, Group, Seen
from dareps.sharing._part import Part
from dareps.types import Along, Representation


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of what there are: shared experts and own ones on each level, and levels at most."""

    shared: int
    own: int
    levels: int


class Level(nn.Module):
    """The experts and gates of one level.

    Args:
        counts: How many experts there are.
        blueprint: What it is built from.
        stages: The encoder's stages on this level.
        shape: Shape of one row of a stream before it.
        branches: Number of branches.
        last: Whether there is no shared stream after it.
    """

    def __init__(
        self,
        counts: Counts,
        blueprint: Blueprint,
        stages: Sequence[str],
        shape: tuple[int, ...],
        *,
        branches: int,
        last: bool,
    ) -> None:
        super().__init__()

        def experts(count: int) -> nn.ModuleList:
            return nn.ModuleList([Part(blueprint.make_encoder(), stages) for _ in range(count)])

        self.experts = experts(counts.shared)
        self.specific = nn.ModuleList([experts(counts.own) for _ in range(branches)])
        self.gates = nn.ModuleList([Gate(shape, counts.shared + counts.own) for _ in range(branches)])
        self.shared_gate = None if last else Gate(shape, counts.shared + branches * counts.own)

    def climb(self, flow: Flow, chosen: Sequence[int], streams: Sequence[Tensor]) -> list[Tensor]:
        """The streams (branches, then the shared one) after a level that is not the last."""
        *own, common = streams
        shared = [flow.through(expert, chosen, common) for expert in self.experts]
        specific = [self.of_branch(flow, branch, chosen, x) for branch, x in enumerate(own)]
        gates = [flow.through(gate, chosen, x) for gate, x in zip(self.gates, own, strict=True)]
        after = [mixed(gate, [*shared, *outputs]) for gate, outputs in zip(gates, specific, strict=True)]
        gate = flow.through(cast(Gate, self.shared_gate), chosen, common)
        return [*after, mixed(gate, [*shared, *(output for outputs in specific for output in outputs)])]

    def of_branch(self, flow: Flow, branch: int, chosen: Sequence[int], x: Tensor) -> list[Tensor]:
        """What a branch's own experts make of its stream."""
        return [flow.through(expert, chosen, x) for expert in cast(nn.ModuleList, self.specific[branch])]


class LayeredExperts(BranchedModule):
    """Levels of experts; the last one runs for wanted branches alone.

    Args:
        counts: How many experts and levels there are.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, counts: Counts, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        encoder = blueprint.make_encoder()
        parts, shape = _levels(encoder, counts.levels), blueprint.shape
        self.levels = nn.ModuleList()
        for number, stages in enumerate(parts):
            last = number == len(parts) - 1
            self.levels.append(Level(counts, blueprint, stages, shape, branches=len(names), last=last))
            shape = encoder.shapes[stages[-1]]

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """All streams up to the last level, and there each wanted branch on its rows."""
        flow, found = self.flow(joined, groups), dict[tuple[int, int], Representation]()
        every = [number for number, group in enumerate(groups) if group.tasks]
        streams = [flow.rows(every)] * (len(self.names) + 1)
        for level in self.levels[:-1]:
            streams = cast(Level, level).climb(flow, every, streams)
        last = cast(Level, self.levels[-1])
        blocks = [flow.blocks(stream, every) for stream in streams]
        shared = [flow.blocks(flow.through(expert, every, streams[-1]), every) for expert in last.experts]
        for branch, chosen in self.wanted(groups).items():
            x = torch.cat([blocks[branch][group] for group in chosen])
            outputs = [torch.cat([own[group] for group in chosen]) for own in shared]
            gate = flow.through(last.gates[branch], chosen, x)
            features = mixed(gate, [*outputs, *last.of_branch(flow, branch, chosen, x)])
            gates = flow.blocks(gate, chosen)
            for group, own in flow.blocks(features, chosen).items():
                found[group, branch] = Representation(own, own, taps={GATE: gates[group]})
        return self.gather(groups, lambda group, branch: found[group, branch])

    def telemetry(self, seen: Seen) -> dict[str, Tensor]:
        """How much each branch uses each expert of the last level: `use.BRANCH.I`."""
        return uses(self, seen)

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """The branch's gates on the last two levels, and its experts on the last: others feed the shared stream.

        The gate below the last level runs in every step, but its stream ends with the branch: without the branch no
        gradient comes back to it, not even one of 0.
        """
        number = self.names.index(branch)
        last = cast(Level, self.levels[-1])
        gates = [cast(Level, level).gates[number] for level in self.levels[-2:]]
        return (*gates, last.specific[number])

    def drawn_as(self, path: str) -> str:
        """The first shared expert of each level is drawn as hard sharing's stages."""
        parts = path.split(".")
        return ".".join(["encoder", *parts[4:]]) if parts[2:4] == ["experts", "0"] else path


def _levels(encoder: Staged, count: int) -> list[list[str]]:
    """The stages of each level: one with parameters each, the last takes in the rest."""
    full = with_parameters(encoder)
    ends = [encoder.names.index(stage) + 1 for stage in full[: min(count, len(full)) - 1]] if full else []
    starts = [0, *ends]
    return [list(encoder.names[start:end]) for start, end in zip(starts, [*ends, len(encoder.names)], strict=True)]
