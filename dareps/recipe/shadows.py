"""Networks that learn each task by itself, beside a method that they do not touch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from dareps.guarding import Guard
from dareps.maths.domains import NormFactory, group_scope
from dareps.maths.networks import Networks
from dareps.maths.noise import name_places
from dareps.maths.precision import wide
from dareps.recipe.stems import Inputs
from dareps.recipe.task_losses import task_losses
from dareps.sharing._modules import Found, Group, HardSharing
from dareps.types import Batch, Labelled, Task


class Shadows(nn.ModuleDict):
    """Task -> the networks of a method with hard sharing that knows this task alone; empty without a guard that asks.

    Args:
        guard: Says which encoder.
        inputs: What encoders read.
        norm: Makes normalisation layers.
        tasks: What is predicted.
        domains: All domains, in the order in which normalisation layers count them.
    """

    def __init__(
        self,
        guard: Guard | None,
        inputs: Inputs,
        norm: NormFactory,
        tasks: Sequence[Task],
        domains: Sequence[str],
    ) -> None:
        super().__init__()
        self.domains = tuple(domains)
        for task in tasks:
            encoder = guard.network(inputs.read, norm) if guard is not None else None
            if encoder is not None:
                heads = nn.ModuleDict({task.name: nn.Linear(encoder.features, task.size)})
                self[task.name] = Networks(HardSharing(inputs.with_stem(encoder)), heads)

    def name_places(self) -> None:
        """Let each draw its noise where a method that knows its task alone does."""
        for network in self.values():
            name_places(network)

    def outputs(self, task: str, joined: Tensor, groups: Sequence[Group]) -> list[Tensor]:
        """Per group the outputs (n, size) of a task's shadow; `joined` (n, *shape) holds the groups' rows in order."""
        network = cast(Networks, self[task])
        with group_scope([(self.domains.index(group.domain), group.rows) for group in groups]):
            found: Found = network.encoder(joined, groups, network.heads)
        head = cast(nn.ModuleDict, network.heads)[task]
        return [wide(head(own[task].task)) for own in found]

    def losses(self, tasks: Sequence[Task], batch: Batch, smoothing: float = 0.0) -> dict[str, Tensor]:
        """`shadow.TASK`: its shadow's mean loss on the labelled rows of a step, 0-d; smoothed as the tasks'."""
        losses: dict[str, Tensor] = {}
        for task in tasks if len(self) else ():
            streams = [rows for rows in batch.streams if isinstance(rows, Labelled) and task.name in rows.y]
            if streams:
                every = len(streams) == len(batch.streams)
                joined = batch.joined if every else torch.cat([rows.x for rows in streams])
                groups = [Group(len(rows.x), rows.domain, (task.name,)) for rows in streams]
                outputs = [{task.name: own} for own in self.outputs(task.name, joined, groups)]
                losses |= task_losses([task], streams, outputs, smoothing)
        return {f"shadow.{name}": loss for name, loss in losses.items()}


def drawn_as(path: str) -> str:
    """The path in a method of one task under which the weights at `path`, TASK.REST below the shadows, are drawn."""
    return path.partition(".")[2]
