"""One encoder that tasks read at stages of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from dareps.sharing._base import Blueprint
from dareps.sharing._branched import BranchedModule, Flow
from dareps.sharing._encoders import check_stages
from dareps.sharing._modules import Found, Group
from dareps.types import Along, Representation


class TappedEncoder(BranchedModule):
    """An encoder whose stages run as far up as a wanted task reads.

    Args:
        reads: Task -> stage; the last one for tasks left out.
        blueprint: What it is built from.
        along: What branches are: tasks.
        names: The tasks.
    """

    def __init__(self, reads: Mapping[str, str], blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        self.encoder = blueprint.make_encoder()
        check_stages("sharing.reads", reads.values(), self.encoder)
        stages = self.encoder.names
        self.levels = [stages.index(reads.get(name, stages[-1])) for name in names]

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """One pass upwards, with fewer rows wherever the last task of a group has been reached."""
        flow = self.flow(joined, groups)
        tops = {
            number: max(self.levels[self.branch_of(group, task)] for task in group.tasks)
            for number, group in enumerate(groups)
            if group.tasks
        }
        taps = self._climb(flow, tops)

        def make(group: int, branch: int) -> Representation:
            features = taps[group][self.encoder.names[self.levels[branch]]].flatten(1)
            return Representation(task=features, shared=features, taps=taps[group])

        return self.gather(groups, make)

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """The stages that this task alone reads through: those above every other task's."""
        number = self.names.index(branch)
        others = max(level for other, level in enumerate(self.levels) if other != number)
        stages = self.encoder.names[others + 1 : self.levels[number] + 1]
        return tuple(self.encoder.chain[stage] for stage in stages)

    def _climb(self, flow: Flow, tops: Mapping[int, int]) -> dict[int, dict[str, Tensor]]:
        """Per group, the outputs of the stages up to its own top."""
        taps: dict[int, dict[str, Tensor]] = {group: {} for group in tops}
        chosen, x = list(tops), flow.rows(list(tops))
        for level in range(max(tops.values()) + 1):
            staying = [group for group in chosen if tops[group] >= level]
            chosen, x = staying, flow.narrowed(x, chosen, staying)
            stage = self.encoder.names[level]
            x = flow.through(self.encoder.chain[stage], chosen, x)
            for group, block in flow.blocks(x, chosen).items():
                taps[group][stage] = block
        return taps
