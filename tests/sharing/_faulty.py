"""Sharing schemes with one fault each, and the law that must name it."""

from dataclasses import replace

import torch

from dareps.schedules import Constant
from dareps.sharing import Term
from dareps.sharing._base import BranchedScheme
from dareps.sharing._branched import every
from dareps.sharing._encoders import SeparateEncoders
from dareps.sharing._modules import HardSharing


class _Sound(SeparateEncoders):
    """Separate encoders; faults override a part."""


class Planted(BranchedScheme, abstract=True):
    """A scheme of one module, which claims what it is told to."""

    kind: type
    alone: bool = True
    penalised: bool = False
    limit: str = ""

    @property
    def isolated(self):
        """As claimed."""
        return self.alone

    def terms(self):
        """One, or none."""
        return (Term("size", 1.0, Constant()),) if self.penalised else ()

    def limits(self):
        """Itself, or none."""
        return {self.limit: self} if self.limit else {}

    def build(self, blueprint):
        """The module."""
        return self.kind(blueprint, *self.branches(blueprint))


class _MixedUp(_Sound):
    def forward(self, joined, groups, heads):
        found = super().forward(joined, groups, heads)
        first = [number for number, group in enumerate(groups) if group.rows == groups[0].rows]
        if len(first) > 1:
            shared = set(groups[first[0]].tasks) & set(groups[first[1]].tasks)
            for task in shared:
                one, other = found[first[0]][task], found[first[1]][task]
                found[first[0]][task], found[first[1]][task] = other, one
        return found


class _AnswersMore(_Sound):
    def forward(self, joined, groups, heads):
        return super().forward(joined, [replace(group, tasks=self.tasks) for group in groups], heads)


class _Doubles(_Sound):
    def forward(self, joined, groups, heads):
        found = super().forward(joined, groups, heads)
        return [{task: replace(own, task=own.task.double()) for task, own in group.items()} for group in found]


class _Draws(_Sound):
    def forward(self, joined, groups, heads):
        found = super().forward(joined, groups, heads)
        noise = 1 + 0.0 * torch.rand(())
        return [{task: replace(own, task=own.task * noise) for task, own in group.items()} for group in found]


class _Asks(_Sound):
    def forward(self, joined, groups, heads):
        if joined.detach().abs().sum().item() > 1e9:
            raise ValueError
        return super().forward(joined, groups, heads)


class _Remembers(_Sound):
    def penalties(self, seen):
        size = torch.vmap(lambda own: own.square().sum())(seen.joined)
        self.kept = getattr(self, "kept", size.detach().mean() * 0 + len(seen.joined)) + 1
        return {"size": (self.branches[0].chain["layer1"][0].weight.square().sum() + 0 * size.sum()) * self.kept}


class _Teaches(_Sound):
    def forward(self, joined, groups, heads):
        found = super().forward(joined, groups, heads)
        weight = sum(own.chain["layer1"][0].weight.sum() for own in self.branches)
        return [{task: replace(own, task=own.task + weight) for task, own in group.items()} for group in found]


class _RunsAll(_Sound):
    def forward(self, joined, groups, heads):
        flow = self.flow(joined, groups)
        idle = sum(flow.through(own, every(groups)).sum() for own in self.branches)
        found = super().forward(joined, groups, heads)
        return [{task: replace(own, task=own.task + 0 * idle) for task, own in group.items()} for group in found]


class _Leans(_Sound):
    def forward(self, joined, groups, heads):
        found = super().forward(joined, groups, heads)
        other = self.branches[0].chain["layer1"][0].weight.detach().sum()
        return [{task: replace(own, task=own.task + other) for task, own in group.items()} for group in found]


class _StartsElsewhere(HardSharing):
    def __init__(self, blueprint, along, names):
        super().__init__(blueprint.make_encoder())

    def drawn_as(self, path):
        return f"other.{path}"


MixedUp = Planted(kind=_MixedUp)
FAULTS = [
    ("what was asked for", Planted(kind=_AnswersMore)),
    ("dtype", Planted(kind=_Doubles)),
    ("rows apart", MixedUp),
    ("no global randomness", Planted(kind=_Draws)),
    ("no host synchronisation", Planted(kind=_Asks)),
    ("stacked equals loop", Planted(kind=_Remembers, penalised=True, alone=False)),
    ("gradient reaches", Planted(kind=_Teaches, alone=False)),
    ("isolated", Planted(kind=_RunsAll)),
    ("equals hard", Planted(kind=_StartsElsewhere, limit="hard")),
    ("equals separate", Planted(kind=_Leans, limit="separate", alone=False)),
]
