"""The losses of tasks over the streams that have labels of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from dareps.tasks import kind_of
from dareps.types import Labelled, Rows, Task

Other = TypeVar("Other")
Outputs = Sequence[tuple[Labelled, Tensor]]
"""Streams with labels of a task, and its head's outputs (n, size) there."""


def task_losses(
    tasks: Sequence[Task], streams: Sequence[Rows], logits: Sequence[Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Mean loss per task over the labels that the labelled streams have of it.

    Args:
        tasks: Those that are trained.
        streams: The step's rows.
        logits: Per stream, each task's outputs (n, size).
    """
    losses: dict[str, Tensor] = {}
    for task in tasks:
        pairs = [(rows, outputs[task.name]) for rows, outputs in labelled(task, streams, logits)]
        if pairs:
            losses[task.name] = task_loss(task, pairs)
    return losses


def labelled(task: Task, streams: Sequence[Rows], others: Sequence[Other]) -> list[tuple[Labelled, Other]]:
    """The streams that have labels of a task, each with what belongs to it."""
    pairs = zip(streams, others, strict=True)
    return [(rows, own) for rows, own in pairs if isinstance(rows, Labelled) and task.name in rows.y]


def task_loss(task: Task, pairs: Outputs) -> Tensor:
    """The mean loss of a task over its labels in all streams, 0-d; complete streams weigh the same, being of one size.

    Args:
        task: The task.
        pairs: Streams with labels of it, and the head's outputs (n, size) there.
    """
    kind = kind_of(task)
    if all(task.name in rows.complete for rows, _ in pairs):
        found = [kind.loss(outputs, rows.y[task.name], complete=True) for rows, outputs in pairs]
        return found[0] if len(found) == 1 else torch.stack(found).mean()
    outputs, labels = (
        torch.cat(parts) for parts in zip(*((own, rows.y[task.name]) for rows, own in pairs), strict=True)
    )
    return kind.loss(outputs, labels, complete=False)
