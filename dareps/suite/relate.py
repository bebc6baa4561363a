"""How source and target of a split relate, from what training may see of them: no target label but declared ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dareps.data._base import LabelledPart, Part, SplitData
from dareps.recipe.settings import Run
from dareps.suite.distances import distance, rows_of
from dareps.transfer.relation import Distance, Labels, finer
from dareps.transfer.routes import Answer
from dareps.types import Task


@dataclass(frozen=True, slots=True)
class Relation:
    """What was found.

    Attributes:
        sides: Names of the two sides; one name where a split has one domain.
        distance: How far their rows are apart; None where there is one domain, or their rows differ in form.
        forms: Shapes of a row by domain where they differ: domains of other forms are other domains.
        labels: By task, the classes of both sides.
        finer: Pairs of tasks of which the second divides the classes of the first.
    """

    sides: tuple[str, ...]
    distance: Distance | None
    forms: Mapping[str, tuple[int, ...]]
    labels: tuple[Labels, ...]
    finer: tuple[tuple[str, str], ...]

    @property
    def domain(self) -> Answer:
        """Whether both sides are of one domain."""
        if self.forms:
            return "different"
        return "same" if self.distance is None else self.distance.answer

    def tasks(self, answer: Answer) -> tuple[str, ...]:
        """Tasks that are the same on both sides, or different ones."""
        return tuple(own.task for own in self.labels if own.answer == answer)


def declared_target(run: Run, data: SplitData) -> tuple[LabelledPart, ...]:
    """Labelled target train rows whose labels the split declares; none where it declares none."""
    return data.labelled_target() if run.labelled else ()


def relate(run: Run, data: SplitData) -> Relation:
    """The relation of source and target, or of the first source domain and the others where there is no target.

    Raises:
        DataError: A side has fewer than two rows.
    """
    first, second = _sides(data)
    named = tuple("+".join(part.domain for part in side) for side in (first, second) if side)
    every: Mapping[str, tuple[int, ...]] = getattr(type(run.data), "forms", {})
    forms = {part.domain: every[part.domain] for part in (*first, *second) if part.domain in every}
    forms = forms if len(set(forms.values())) > 1 else {}
    far = distance(rows_of(first), rows_of(second)) if second and not forms else None
    begun = data.source_train if data.target_train else data.source_train[:1]
    told = declared_target(run, data) if data.target_train else data.source_train[1:] or begun
    labels = tuple(_labels(task, begun, told) for task in run.tasks)
    return Relation(named, far, forms, labels, tuple(_finer(run.tasks, data.source_train)))


def _sides(data: SplitData) -> tuple[Sequence[Part | LabelledPart], Sequence[Part | LabelledPart]]:
    """Train rows of both sides; the second is empty where there is one domain."""
    if data.target_train:
        return data.source_train, data.target_train
    return data.source_train[:1], data.source_train[1:]


def seen_classes(task: Task, parts: Sequence[LabelledPart]) -> frozenset[int]:
    """Classes of which there are labelled rows."""
    found = [np.unique(part.y[task.name][part.y[task.name] >= 0]) for part in parts]
    return frozenset(int(own) for classes in found for own in classes)


def _labels(task: Task, source: Sequence[LabelledPart], target: Sequence[LabelledPart]) -> Labels:
    if task.kind != "classification":
        return Labels(task.name, 0, frozenset())
    seen = seen_classes(task, target)
    return Labels(task.name, task.size, seen_classes(task, source), seen or None)


def _finer(tasks: Sequence[Task], parts: Sequence[LabelledPart]) -> list[tuple[str, str]]:
    """Pairs (coarse, fine) of tasks, by source labels."""
    classes = {
        task.name: np.concatenate([part.y[task.name] for part in parts])
        for task in tasks
        if task.kind == "classification"
    }
    return [(a, b) for a in classes for b in classes if a != b and finer(classes[a], classes[b])]
