"""Few labelled target rows: which ones, by a keyed choice that grows with their number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dareps.data._base import LabelledPart, SplitData
from dareps.data._split import keyed_order
from dareps.errors import DataError
from dareps.types import Task, lead_task


def declare_labels(data: SplitData, seed: int, count: int, held: int, tasks: tuple[Task, ...], where: str) -> SplitData:
    """The split with `count` labelled target train rows of each class, and `held` validation rows with labels.

    The rows of a smaller number are among those of a larger one. Classes are those of the first of the tasks that has
    some; without any the numbers are of rows.

    Raises:
        DataError: A target domain has no row with a label that could be declared.
    """
    lead = lead_task(tasks)
    chosen = []
    for part in data.labelled_target():
        labels = part.y[lead.name]
        chosen.append(np.sort(_few(labels, lead.kind == "classification", count, ("few", seed, part.domain))))
        if count and not len(chosen[-1]):
            fix = "Choose another target, or leave the @ out."
            raise DataError(f"{where}/{part.domain}", "no target train row has a label to declare", count, fix)
    validation = tuple(_held(data, seed, held, lead)) if held else ()
    return replace(data, chosen=tuple(chosen), labelled_validation=validation)


def _held(data: SplitData, seed: int, held: int, lead: Task) -> Iterator[LabelledPart]:
    for part in data.target_validation:
        y = data.sealed.open_for_scorer("validation", part.domain)
        kept = np.sort(_few(y[lead.name], lead.kind == "classification", held, ("held", seed, part.domain)))
        yield LabelledPart(part.domain, "target", part.x[kept], {task: labels[kept] for task, labels in y.items()})


def _few(labels: np.ndarray, classes: bool, count: int, key: tuple[object, ...]) -> np.ndarray:
    """Numbers of the first `count` rows of each class, or of all rows, in a keyed order; rows without a label last."""
    order = keyed_order(len(labels), *key)
    if not classes:
        return order[:count]
    found = [order[labels[order] == own][:count] for own in np.unique(labels[labels >= 0])]
    return np.concatenate(found) if found else order[:0]
