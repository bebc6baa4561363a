"""The losses of tasks over the streams that have labels of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from dareps.tasks import kind_of
from dareps.transfer import Phase, Train
from dareps.types import Labelled, Rows, Task

MANY = 32
"""From how many tasks alike on one computation is quicker than one after the other."""
Other = TypeVar("Other")
Outputs = Sequence[tuple[Labelled, Tensor]]
"""Streams with labels of a task, and its head's outputs (n, size) there."""


def task_losses(
    tasks: Sequence[Task], streams: Sequence[Rows], logits: Sequence[Mapping[str, Tensor]], smoothing: float = 0.0
) -> dict[str, Tensor]:
    """Mean loss per task over the labels that the labelled streams have of it.

    Args:
        tasks: Those that are trained.
        streams: The step's rows.
        logits: Per stream, each task's outputs (n, size).
        smoothing: Share of each class label that is spread evenly over the classes.
    """
    found = _means(tasks, streams, logits)
    for task in tasks if smoothing else ():
        if task.name in found and task.kind == "classification":
            pairs = [(rows, own[task.name]) for rows, own in labelled(task, streams, logits)]
            found[task.name] = found[task.name] + smoothing * spread(task, pairs)
    return found


def smoothing_of(phase: Phase) -> float:
    """Share of each class label that a phase spreads over the classes."""
    return phase.smoothing if isinstance(phase, Train) else 0.0


def spread(task: Task, pairs: Outputs) -> Tensor:
    """What spreading labels over the classes adds to their cross-entropy, per unit of spread, 0-d.

    CE of (1 - s) onehot(y) + s / c against softmax(z) is CE(y, softmax(z)) + s (z_y - mean_k z_k).

    Args:
        task: The task.
        pairs: Streams with labels of it, and logits (n, c) there.
    """
    logits, labels = _joined(task, pairs)
    there = (labels >= 0).to(logits.dtype)
    own = logits.gather(1, labels.clamp_min(0).unsqueeze(1)).squeeze(1)
    return ((own - logits.mean(1)) * _counted(task, pairs, there)).sum() / there.sum().clamp_min(1)


def _means(tasks: Sequence[Task], streams: Sequence[Rows], logits: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    found = {task: [(rows, own[task.name]) for rows, own in labelled(task, streams, logits)] for task in tasks}
    if len(found) < MANY:
        return {task.name: task_loss(task, pairs) for task, pairs in found.items() if pairs}
    alike: dict[object, list[Task]] = {}
    for task, pairs in found.items():
        if pairs:
            alike.setdefault(_signature(task, pairs), []).append(task)
    losses: dict[str, Tensor] = {}
    for members in alike.values():
        losses |= _at_once(members, found) if len(members) >= MANY else _one_by_one(members, found)
    return {task.name: losses[task.name] for task in tasks if task.name in losses}


def _signature(task: Task, pairs: Outputs) -> object:
    """What tasks have in common whose losses are one computation; a loss over all labels there are has no other."""
    missing = any(task.name not in rows.complete for rows, _ in pairs)
    alike = missing and not _weighted(task, pairs)
    return (task.kind, task.size, *(id(rows) for rows, _ in pairs)) if alike else task.name


def _one_by_one(tasks: Sequence[Task], found: Mapping[Task, Outputs]) -> dict[str, Tensor]:
    return {task.name: task_loss(task, found[task]) for task in tasks}


def _at_once(tasks: Sequence[Task], found: Mapping[Task, Outputs]) -> dict[str, Tensor]:
    """The losses of many tasks of one kind and size on the same streams."""
    parts = [_joined(task, found[task]) for task in tasks]
    outputs, labels = (torch.stack(values) for values in zip(*parts, strict=True))
    losses = torch.vmap(partial(kind_of(tasks[0]).loss, complete=False))(outputs, labels)
    return dict(zip((task.name for task in tasks), losses.unbind(), strict=True))


def labelled(task: Task, streams: Sequence[Rows], others: Sequence[Other]) -> list[tuple[Labelled, Other]]:
    """The streams that have labels of a task, each with what belongs to it."""
    pairs = zip(streams, others, strict=True)
    return [(rows, own) for rows, own in pairs if isinstance(rows, Labelled) and task.name in rows.y]


def task_loss(task: Task, pairs: Outputs) -> Tensor:
    """The mean loss of a task over its labels in all streams, 0-d; complete streams weigh the same, being of one size.

    Weights of rows are factors on their losses, and do not change what the sum is divided by.

    Args:
        task: The task.
        pairs: Streams with labels of it, and the head's outputs (n, size) there.
    """
    kind = kind_of(task)
    if _weighted(task, pairs):
        values, there = kind.elements(*_joined(task, pairs))
        return (values * _counted(task, pairs, there)).sum() / there.sum().clamp_min(1)
    if all(task.name in rows.complete for rows, _ in pairs):
        found = [kind.loss(outputs, rows.y[task.name], complete=True) for rows, outputs in pairs]
        return found[0] if len(found) == 1 else torch.stack(found).mean()
    return kind.loss(*_joined(task, pairs), complete=False)


def _weighted(task: Task, pairs: Outputs) -> bool:
    """Whether rows of some stream count more or less than once."""
    return any(task.name in rows.weights for rows, _ in pairs)


def _counted(task: Task, pairs: Outputs, there: Tensor) -> Tensor:
    """How much each label counts, (n,) or (n, size) as `there`: 1 where it is there, times the row's weight."""
    if not _weighted(task, pairs):
        return there
    ones = [there.new_ones(len(own)) for _, own in pairs]
    factors = [rows.weights.get(task.name, one) for (rows, _), one in zip(pairs, ones, strict=True)]
    return there * torch.cat(factors).to(there.dtype).view(-1, *[1] * (there.ndim - 1))


def _joined(task: Task, pairs: Outputs) -> tuple[Tensor, Tensor]:
    """A task's outputs and labels in all streams, one after the other."""
    if len(pairs) == 1:
        ((rows, outputs),) = pairs
        return outputs, rows.y[task.name]
    return torch.cat([own for _, own in pairs]), torch.cat([rows.y[task.name] for rows, _ in pairs])
