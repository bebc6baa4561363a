"""A chain of stages on which tasks build on each other's features and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, cast

import torch
from torch import Tensor, nn

from dareps.errors import ConfigError
from dareps.maths.layers import ZeroLinear
from dareps.maths.precision import wide
from dareps.maths.staged import Staged
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import BranchedModule, total
from dareps.sharing._encoders import check_stages, with_parameters
from dareps.sharing._kept import Kept
from dareps.sharing._modules import Found, Group, Seen
from dareps.sharing._summary import Summary
from dareps.tasks import kind_of
from dareps.types import Along, Representation

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hearing:
    """Where tasks read, and what reaches them besides features.

    Attributes:
        reads: Task -> stage, the last one for tasks left out; or the tasks spread over the stages in order.
        labels: Width of label embeddings; 0 for none.
        shortcut: Whether inputs reach tasks above the first.
    """

    reads: Mapping[str, str] | Literal["in_order"]
    labels: int
    shortcut: bool


class Places(nn.Module):
    """A linear map of channels that starts at 0, the same at all places of images or series (n, channels, *places).

    Args:
        channels: Of the input.
        shape: Of one row of the result.
    """

    def __init__(self, channels: int, shape: Shape) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool1d(shape[1]) if len(shape) == 2 else nn.AdaptiveAvgPool2d((shape[1], shape[2]))
        self.channels = ZeroLinear(channels, shape[0], bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, *shape) of x of any size, whose places are averaged or repeated."""
        result: Tensor = self.channels(self.pool(x).movedim(1, -1)).movedim(-1, 1)
        return result


class Bridge(nn.Module):
    """What a task hears of predictions and inputs, added to the features that it builds on: h + B [y; x].

    Args:
        heard: Values of all label embeddings, side by side.
        sight: From inputs to what is added; None for no shortcut.
        channels: Of the features.
    """

    def __init__(self, heard: int, sight: nn.Module | None, channels: int) -> None:
        super().__init__()
        self.labels = ZeroLinear(heard, channels) if heard else None
        self.sight = sight

    def forward(self, h: Tensor, x: Tensor, labels: Sequence[Tensor]) -> Tensor:
        """h (n, channels, *places) with inputs x (n, *shape) and label embeddings (n, labels) each."""
        if self.labels is not None:
            heard = self.labels(torch.cat(list(labels), 1))
            h = h + heard.view(*heard.shape, *(1,) * (h.dim() - 2))
        return h if self.sight is None else h + self.sight(x)


class ManyTasks(BranchedModule):
    """An encoder that runs as far up as a wanted task reads, and what tasks on the way say to those above.

    Args:
        hearing: Where tasks read and what they hear.
        blueprint: What it is built from.
        along: What branches are: tasks.
        names: The tasks.

    Attributes:
        order: Numbers of the tasks from low to high.
    """

    def __init__(self, hearing: Hearing, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        self.encoder = blueprint.make_encoder()
        levels = _levels(hearing.reads, self.encoder, names)
        self.order = sorted(range(len(names)), key=levels.__getitem__)
        self.levels = [levels[number] for number in self.order]
        ordered = [blueprint.tasks[number] for number in self.order]
        self.kinds = [kind_of(task) for task in ordered]
        width = hearing.labels
        said = ordered[:-1] if width else []
        self.labels = nn.ModuleList([nn.Linear(task.size, width, bias=False) for task in said])
        stages = [self.encoder.names[level] for level in self.levels[:-1]]
        sights = [_sight(stage, self.encoder.shapes[stage], blueprint.shape, hearing.shortcut) for stage in stages]
        widths = [self.encoder.shapes[stage][0] for stage in stages]
        bridges = [Bridge(width * place, *own) for place, own in enumerate(zip(sights, widths, strict=True), 1)]
        self.bridges = nn.ModuleList(bridges)

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """One pass upwards from task to task, with fewer rows wherever the last task of a group has been reached."""
        flow, found = self.flow(joined, groups), dict[tuple[int, int], Representation]()
        tops = self._tops(groups)
        chosen, above = list(tops), max(tops.values())
        h, x, said = flow.rows(chosen), flow.rows(chosen), list[Tensor]()
        for place, branch in enumerate(self.order[: above + 1]):
            staying = [group for group in chosen if tops[group] >= place]
            h, x, *said = (flow.narrowed(rows, chosen, staying) for rows in (h, x, *said))
            chosen = staying
            if place:
                h = self.bridges[place - 1](h, x, said)
            for stage in self.stages(place):
                h = flow.through(stage, chosen, h)
            features = h.flatten(1)
            blocks = flow.blocks(features, chosen)
            found |= {(group, branch): Representation(own, own) for group, own in blocks.items()}
            if place < above and len(self.labels):
                said.append(self._said(place, heads[self.names[branch]](features)))
        return self.gather(groups, lambda group, branch: found[group, branch])

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """What the highest task alone reads through: its stages and bridge, and the label embeddings just below it."""
        place = len(self.order) - 1
        return self.parts(place) if branch == self.names[self.order[place]] else ()

    def stages(self, place: int) -> tuple[nn.Module, ...]:
        """F_k: the stages between what a task reads and what the task before it does."""
        start = self.levels[place - 1] + 1 if place else 0
        return tuple(self.encoder.chain[name] for name in self.encoder.names[start : self.levels[place] + 1])

    def parts(self, place: int) -> tuple[nn.Module, ...]:
        """What a task adds to what the tasks below it read."""
        heard = [part[place - 1] for part in (self.bridges, self.labels) if place and len(part)]
        return (*self.stages(place), *heard)

    def _tops(self, groups: Sequence[Group]) -> dict[int, int]:
        """Group -> place of the highest task that it wants; groups that want none are left out."""
        places = {branch: place for place, branch in enumerate(self.order)}
        return {
            number: max(places[self.branch_of(group, task)] for task in group.tasks)
            for number, group in enumerate(groups)
            if group.tasks
        }

    def _said(self, place: int, outputs: Tensor) -> Tensor:
        """The label embeddings (n, labels) of a task's outputs (n, size)."""
        result: Tensor = self.labels[place](self.kinds[place].belief(wide(outputs)))
        return result


class RegularisedManyTasks(ManyTasks):
    """The same with the weights at the end of the last turn, from which higher tasks may not carry lower ones away.

    Args:
        wanted: The penalties to compute, of `successive` and `successive_heads`.
        every: Steps of a turn.
        hearing: Where tasks read and what they hear.
        blueprint: What it is built from.
        along: What branches are: tasks.
        names: The tasks.
    """

    taken: Tensor

    def __init__(
        self,
        wanted: Sequence[str],
        every: int,
        hearing: Hearing,
        blueprint: Blueprint,
        along: Along,
        names: Sequence[str],
    ) -> None:
        super().__init__(hearing, blueprint, along, names)
        self.penalised, self.every = tuple(wanted), every
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))
        self.kept = nn.ModuleDict()

    def attach(self, heads: nn.ModuleDict) -> None:
        """Keep the first weights."""
        self.kept = nn.ModuleDict(
            {name: nn.ModuleList([Kept(modules) for modules in self._lower(name, heads)]) for name in self.penalised}
        )

    def after_step(self, heads: nn.ModuleDict) -> None:
        """Keep the weights anew where a turn ends."""
        self.taken.add_(1)
        due = self.taken % self.every == 0
        for name, kept in self.kept.items():
            for own, modules in zip(cast(nn.ModuleList, kept), self._lower(name, heads), strict=True):
                cast(Kept, own).take(modules, due)

    def penalties(self, seen: Seen) -> dict[str, Tensor]:
        """Each wanted task's squared distances of what lies below it from the kept weights, 0-d."""
        wanted = {self.branch_of(group, task) for group in seen.groups for task in group.tasks}
        above = [sum(branch in wanted for branch in self.order[place + 1 :]) for place in range(len(self.order) - 1)]
        return {name: self._moved(name, above, seen) for name in self.penalised}

    def _moved(self, name: str, above: Sequence[int], seen: Seen) -> Tensor:
        pairs = zip(above, cast(nn.ModuleList, self.kept[name]), self._lower(name, seen.heads), strict=True)
        parts = ((times, cast(Kept, kept).squares(modules)) for times, kept, modules in pairs)
        found = [times * square for times, squares in parts if times for square in squares]
        return total(found) if found else seen.joined.new_zeros(())

    def _lower(self, name: str, heads: nn.ModuleDict) -> list[tuple[nn.Module, ...]]:
        """By place, what a penalty holds of all tasks but the highest."""
        places = range(len(self.order) - 1)
        if name == "successive":
            return [self.parts(place) for place in places]
        return [(heads[self.names[self.order[place]]],) for place in places]


def _levels(reads: Mapping[str, str] | str, encoder: Staged, names: Sequence[str]) -> list[int]:
    """The number of the stage that each task reads."""
    last = len(encoder.names) - 1
    if isinstance(reads, str):
        full = [encoder.names.index(stage) for stage in with_parameters(encoder)] or [last]
        steps = [ceil(number * len(full) / len(names)) - 1 for number in range(1, len(names))]
        return [*(full[step] for step in steps), last]
    check_stages("sharing.reads", reads.values(), encoder)
    return [encoder.names.index(reads[name]) if name in reads else last for name in names]


def _sight(stage: str, shape: Shape, inputs: Shape, wanted: bool) -> nn.Module | None:
    """From inputs to what a stage gives.

    Raises:
        ConfigError: They have nothing in common.
    """
    if not wanted:
        return None
    if len(shape) == 1:
        summary = Summary(inputs)
        return nn.Sequential(summary, ZeroLinear(summary.width, shape[0], bias=False))
    if len(shape) == len(inputs) and len(shape) in (2, 3):
        return Places(inputs[0], shape)
    what = f"inputs of shape {inputs} cannot be brought to stage {stage}, which gives {shape}"
    raise ConfigError("sharing.shortcut", what, wanted, "Set sharing.shortcut=false.")
