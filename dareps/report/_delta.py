"""Tables of what recipes gain on the single-task baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from dareps.report._format import NONE, points, probability
from dareps.report._tables import Cell, Row, Table
from dareps.suite.delta import DeltaEntry, Measure

COLUMNS: Final = (
    *("recipe", "over metrics %", "95 % interval", "p (Holm)", "over tasks %", "95 % interval", "p (Holm)"),
    *("units better", "units worse", "n", "remarks"),
)
MOST_UNITS: Final = 20
"""Up to this many units have a column each."""


def delta_tables(entries: Sequence[DeltaEntry], rules: Iterable[str]) -> list[Table]:
    """Delta_m per recipe, and where units are few the difference on each, for every dataset and split.

    Args:
        entries: All of the suite.
        rules: Selection rules by preference; the first that a split has is shown.
    """
    tables = []
    for dataset, split in dict.fromkeys((own.dataset, own.split) for own in entries):
        here = [own for own in entries if (own.dataset, own.split) == (dataset, split)]
        known = {own.selection for own in here}
        rule = next((name for name in rules if name in known), min(known))
        group = [own for own in here if own.selection == rule]
        tables += [_gains(group), *_each(group)]
    return tables


def delta_notes(entries: Iterable[DeltaEntry]) -> list[str]:
    """What keeps Delta_m from being known, a sentence per dataset and split."""
    told: dict[str, None] = {}
    for own in entries:
        if own.missing and own.measure == "over_tasks":
            told.setdefault(f"Delta_m of `{own.recipe}` on {own.dataset}, {own.split} lacks seeds: {own.missing}.")
    return list(told)


def _gains(group: Sequence[DeltaEntry]) -> Table:
    first, recipes = group[0], dict.fromkeys(own.recipe for own in group)
    rows = sorted((_row(name, group) for name in recipes), key=lambda found: -found[0])
    note = (
        f"Relative gain on {first.baseline} in percent, the sign turned where lower is better, so that positive is "
        "better: the mean over all metrics of all tasks, and the mean over tasks of each one's mean; a task on several "
        "domains counts as several. Intervals: t over seeds. p: Wilcoxon over units from 6 on, else t over seeds from "
        "5 on, Holm over recipes. Better, worse: units by the mean difference of the main metric. n: seeds with all."
    )
    title = f"Delta_m against {first.baseline}: {first.dataset}, {first.split}, checkpoints by {first.selection}"
    return Table(title, COLUMNS, (tuple(row for _, row in rows),), note, "board")


def _row(recipe: str, group: Sequence[DeltaEntry]) -> tuple[float, Row]:
    """The recipe's row, and what it is ranked by."""
    own = [entry for entry in group if entry.recipe == recipe]
    found: dict[Measure, DeltaEntry] = {entry.measure: entry for entry in own}
    gaps = [entry.value for entry in own if entry.measure == "difference" and entry.value is not None]
    metrics, tasks = found["over_metrics"], found["over_tasks"]
    counts = (str(sum(gap > 0 for gap in gaps)), str(sum(gap < 0 for gap in gaps)), str(tasks.n))
    cells = (recipe, *_figures(metrics), *_figures(tasks), *counts, tasks.missing)
    rank = tasks.value if tasks.value is not None else float("-inf")
    return rank, Row(tuple(map(Cell, cells)), "" if tasks.value is not None else "failed")


def _figures(entry: DeltaEntry) -> tuple[str, str, str]:
    """Delta_m is in percent already."""
    value, low, high = (None if own is None else own / 100 for own in (entry.value, entry.low, entry.high))
    bracket = NONE if low is None else f"[{points(low)}, {points(high)}]"
    return points(value), bracket, probability(entry.p)


def _each(group: Sequence[DeltaEntry]) -> list[Table]:
    """The difference on each unit as a heat table, where there are not too many."""
    single = [own for own in group if own.measure == "difference"]
    units = list(dict.fromkeys((own.task, own.domain) for own in single))
    if not 1 < len(units) <= MOST_UNITS:
        return []
    largest = max((abs(own.value) for own in single if own.value is not None), default=0.0)
    several = len({task for task, _ in units}) > 1, len({domain for _, domain in units}) > 1
    names = [" on ".join(part for part, shown in zip(unit, several, strict=True) if shown) for unit in units]
    rows = []
    for recipe in dict.fromkeys(own.recipe for own in single):
        found = {(own.task, own.domain): own for own in single if own.recipe == recipe}
        rows.append(Row((Cell(recipe), *(_gap(found.get(unit), largest) for unit in units), Cell(""))))
    first = group[0]
    note = "Points of the main metric, mean over seeds; * where the Holm-adjusted p is below 0.05. All in delta.csv."
    title = f"Each task and domain against {first.baseline}: {first.dataset}, {first.split}"
    return [Table(title, ("recipe", *names, ""), (tuple(rows),), note, "heat")]


def _gap(entry: DeltaEntry | None, largest: float) -> Cell:
    if entry is None or entry.value is None:
        return Cell(NONE, "" if entry is None else entry.missing)
    bracket = "" if entry.low is None else f", interval [{points(entry.low)}, {points(entry.high)}]"
    sure = "*" if entry.p is not None and entry.p < 0.05 else ""
    shade = entry.value / largest if largest else None
    return Cell(f"{points(entry.value)}{sure}", f"n = {entry.n}{bracket}, p {probability(entry.p)}", shade)
