"""Forgetting: what a run that learns one thing after another still knows of the first at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dareps.engine.outcome import Outcome
from dareps.suite._results import dataset_name, split_name
from dareps.suite.statistics import interval, mean

Curve = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Forgetting:
    """One recipe on one split: a source task's figure when it had been learned, and after the last phase.

    Attributes:
        before: Main metric on source validation rows at the end of the last phase but the final one that trained the
            task on them, mean over seeds.
        after: The same after the last phase, by the head of then where it was drawn anew since.
        low: Lower end of the 95 % interval of their difference over seeds; `high` the upper one; None for one seed.
    """

    dataset: str
    split: str
    recipe: str
    task: str
    n: int
    before: float
    after: float
    change: float
    low: float | None
    high: float | None


def forgetting_board(outcomes: Iterable[Outcome]) -> list[Forgetting]:
    """All runs of several phases whose earlier ones learned from labelled source rows, by dataset, split and recipe."""
    found: dict[tuple[str, str, str, str], list[tuple[float, float]]] = {}
    for own in outcomes:
        place = dataset_name(own.identity), split_name(own.identity), own.identity.recipe
        for task, pair in (forgotten(own) if own.status == "ok" else {}).items():
            found.setdefault((*place, task), []).append(pair)
    return [_entry(place, found[place]) for place in sorted(found)]


def forgotten(outcome: Outcome) -> dict[str, tuple[float, float]]:
    """Task -> its figure on source validation rows when it had been learned, and at the end."""
    method = outcome.identity.config.get("method", {})
    phases = [own for own in method.get("phases", ()) if "steps" in own]
    learned: dict[str, int] = {}
    offset = 0
    for phase in phases[:-1]:
        offset += phase["steps"]
        if phase["streams"].get("source") == "labelled":
            learned |= dict.fromkeys(phase.get("tasks") or _tasks(outcome, method), offset)
    pairs = {}
    for task, step in learned.items():
        curve = outcome.curves.get(f"source.{task}") or outcome.curves.get("source_accuracy", [])
        past = [value for at, value in curve if at <= step]
        now = outcome.curves.get(f"former.{task}") or curve
        if past and now and now[-1][0] > step:
            pairs[task] = past[-1], now[-1][1]
    return pairs


def _tasks(outcome: Outcome, method: Mapping[str, Any]) -> list[str]:
    """The tasks of a run, as far as its configuration and its figures name them."""
    return list(method.get("tasks") or (outcome.identity.task, *outcome.others))


def _entry(place: tuple[str, str, str, str], pairs: Sequence[tuple[float, float]]) -> Forgetting:
    changes = [after - before for before, after in pairs]
    low, high = interval(changes) or (None, None)
    before, after = (mean(pair[side] for pair in pairs) for side in (0, 1))
    return Forgetting(*place, len(pairs), before, after, mean(changes), low, high)
