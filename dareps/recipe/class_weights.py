"""Weights of rows in the losses of tasks: by their class, a set for each phase that reweights, and by their source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from dareps.recipe.source_weights import SourceWeights
from dareps.transfer import Phase, Train
from dareps.types import Batch, Labelled, Rows, Task

_START = "of_"
"""Begins the name of a buffer, so that a task may be called like something that modules have."""


class ClassWeights(nn.Module):
    """Buffers of weights (c,) as PHASE.TASK, 1 until a phase sets them; empty for a recipe that does not reweight.

    Args:
        phases: The recipe's phases.
        tasks: What is predicted.
        domains: The source domains.

    Attributes:
        sources: The weights of the domains.
    """

    def __init__(self, phases: Sequence[Phase], tasks: Sequence[Task], domains: Sequence[str] = ()) -> None:
        super().__init__()
        self.tasks, self.sources = tuple(tasks), SourceWeights(phases, domains)
        for number, phase in enumerate(phases):
            if isinstance(phase, Train) and phase.label_shift != "none":
                self.add_module(str(number), _holder(phase, tasks))
        self.enter(0)

    def enter(self, phase: int) -> None:
        """Say which phase is current."""
        self.phase = str(phase)
        self.sources.enter(phase)

    @property
    def acting(self) -> dict[str, Tensor]:
        """The current phase's weights by task."""
        if self.phase not in self._modules:
            return {}
        return {name.removeprefix(_START): value for name, value in self.get_submodule(self.phase).named_buffers()}

    @torch.no_grad()
    def put(self, task: str, weights: Tensor) -> None:
        """Set the current phase's weights (c,) of a task."""
        self.acting[task].copy_(weights)

    def on(self, batch: Batch) -> Batch:
        """The batch with a weight for each labelled source row."""
        acting = self.acting
        if acting:
            batch = replace(batch, streams=tuple(_weighed(rows, acting) for rows in batch.streams))
        return self.sources.on(batch, self.tasks)


def _holder(phase: Train, tasks: Sequence[Task]) -> nn.Module:
    holder = nn.Module()
    for task in tasks:
        if task.kind == "classification" and (not phase.tasks or task.name in phase.tasks):
            holder.register_buffer(_START + task.name, torch.ones(task.size))
    return holder


def _weighed(rows: Rows, acting: Mapping[str, Tensor]) -> Rows:
    if not isinstance(rows, Labelled) or rows.role != "source":
        return rows
    found = {task: own[rows.y[task].clamp_min(0)] for task, own in acting.items() if task in rows.y}
    return cast(Rows, replace(rows, weights=found))
