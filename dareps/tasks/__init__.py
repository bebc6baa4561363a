"""Kinds of tasks: for each its loss, its metrics and its predictions, in one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from dareps.tasks._base import Scores, TaskKind
from dareps.tasks._scale import Scale
from dareps.tasks.classification import Classification
from dareps.tasks.multilabel import Multilabel
from dareps.tasks.regression import Regression
from dareps.types import Kind, Task

__all__ = ["KINDS", "Scale", "Scores", "TaskKind", "kind_of", "kind_with"]

KINDS: Final[Mapping[Kind, TaskKind]] = MappingProxyType(
    {"classification": Classification(), "regression": Regression(), "multilabel": Multilabel()}
)


def kind_of(task: Task) -> TaskKind:
    """The rules of a task's kind."""
    return KINDS[task.kind]


def kind_with(metrics: Iterable[str]) -> TaskKind | None:
    """The kind whose further metrics have these names; older results may lack some of them."""
    names = frozenset(metrics)
    return next((kind for kind in KINDS.values() if names and names <= frozenset(kind.further)), None)
