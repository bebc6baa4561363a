"""Figures of units, a unit being a task on one domain of the test rows: each, their average, and all rows pooled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from dareps.engine.outcome import Outcome, UnitScore
from dareps.suite._results import AVERAGE
from dareps.suite.statistics import mean
from dareps.tasks import KINDS, Scores, TaskKind, kind_with

POOLED: Final = "pooled"
"""Stands for all test rows of a task together, as `average` does for the mean over its domains."""


EVERY_TASK: Final = "all tasks"
"""Stands for several tasks that are numbers."""


def units_of(outcome: Outcome) -> list[UnitScore]:
    """A run's figures of each task on each domain; results of before these were kept have them for one domain."""
    domain = outcome.identity.target or outcome.identity.source
    if outcome.units or "+" in domain:
        return list(outcome.units)
    tasks = {outcome.identity.task: outcome.selected, **outcome.others}
    return [
        UnitScore(task, domain, row.selection, row.step, rows, row.target_metric, row.metrics, row.confusion)
        for task, selected in tasks.items()
        for row in selected
        for rows in [sum(map(sum, row.confusion))]
    ]


def kind_of_unit(unit: UnitScore) -> TaskKind:
    """The kind of a unit's task, by the names of its figures."""
    return kind_with(unit.metrics) or KINDS["classification"]


def figures_of(unit: UnitScore) -> dict[str, float]:
    """All figures of a unit by name, the main metric first."""
    return {kind_of_unit(unit).primary: unit.value, **unit.metrics}


def pooled(units: Sequence[UnitScore]) -> Scores:
    """Figures of all rows of some units of a kind together; NaN where theirs do not tell."""
    kind = kind_of_unit(units[0]) if units else KINDS["classification"]
    parts = [Scores(unit.value, unit.metrics, unit.confusion, unit.sums) for unit in units]
    nothing = Scores(math.nan, dict.fromkeys(kind.further, math.nan))
    return parts[0] if len(parts) == 1 else kind.pooled(parts) or nothing


def with_summaries(units: Iterable[UnitScore]) -> Iterator[UnitScore]:
    """The units, and after those of a task and rule, where they are several, their average and all rows pooled."""
    groups: dict[tuple[str, str], list[UnitScore]] = {}
    for unit in units:
        groups.setdefault((unit.task, unit.selection), []).append(unit)
    for group in groups.values():
        yield from group
        if len(group) > 1:
            yield from _summaries(group)


def over_tasks(units: Iterable[UnitScore]) -> Iterator[UnitScore]:
    """The average of several tasks that are numbers, by rule, and what all their rows together give.

    Classes of different tasks are not the same classes, so their rows are not put together. On the School data with a
    task for each school, pooled R^2 is the explained variance of its literature.
    """
    groups: dict[str, list[UnitScore]] = {}
    for unit in units:
        groups.setdefault(unit.selection, []).append(unit)
    for group in groups.values():
        # How many numbers a row has; none where a task has classes.
        widths = {0 if unit.confusion else len(unit.sums) for unit in group}
        if len(widths) == 1 and 0 not in widths and len({unit.task for unit in group}) > 1:
            yield from (replace(unit, task=EVERY_TASK) for unit in _summaries(group))


def _summaries(group: Sequence[UnitScore]) -> Iterator[UnitScore]:
    first, together = group[0], pooled(group)
    step, rows = round(mean(unit.step for unit in group)), sum(unit.rows for unit in group)
    known = [name for name in first.metrics if all(name in unit.metrics for unit in group)]
    figures = {name: mean(unit.metrics[name] for unit in group) for name in known}
    value = mean(unit.value for unit in group)
    yield UnitScore(first.task, AVERAGE, first.selection, step, rows, value, figures)
    if not math.isnan(together.primary):
        everything = (together.primary, together.metrics, together.confusion, together.sums)
        yield UnitScore(first.task, POOLED, first.selection, step, rows, *everything)
