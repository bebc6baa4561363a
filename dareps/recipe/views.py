"""What alignments see of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dareps.alignment._settings import AlignmentSettings
from dareps.errors import ConfigError
from dareps.maths.precision import wide
from dareps.recipe.phasing import INSTEAD, told_of_outputs, unreadable
from dareps.sharing._modules import Found
from dareps.types import Batch, Labelled, Task, View


def views_of(batch: Batch, found: Found, logits: Sequence[Mapping[str, Tensor]], lead: Task) -> list[View]:
    """Every stream as alignments see it: features, and outputs and labels of the lead task."""
    task, classes = lead.name, lead.kind == "classification"
    views = []
    for rows, reps, outputs in zip(batch.streams, found, logits, strict=True):
        labels = rows.y.get(task) if classes and isinstance(rows, Labelled) and rows.role == "source" else None
        views.append(View(rows.domain, rows.role, wide(reps[task].shared), outputs.get(task), labels, kind=lead.kind))
    return views


def with_inputs(views: Sequence[View], batch: Batch) -> list[View]:
    """The views with each stream's inputs, augmented and plain."""
    joined = batch.joined if batch.plain is None else batch.plain
    plain = torch.split(joined, [len(rows.x) for rows in batch.streams])
    parts = zip(views, batch.streams, plain, strict=True)
    return [replace(view, x=rows.x, plain=own) for view, rows, own in parts]


def refuse_outputs(indices: Sequence[int], settings: Sequence[AlignmentSettings], lead: Task) -> None:
    """Raise `ConfigError` where an alignment reads outputs of which the lead task has none."""
    for index, own in zip(indices, settings, strict=True):
        if unreadable(own, lead):
            raise ConfigError(f"align.{index}", told_of_outputs(own.name, lead), fix=INSTEAD)
