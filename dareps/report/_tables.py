"""The report's tables, free of any output format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from dareps.engine.outcome import Outcome
from dareps.report._format import NONE, capital, interval, percent, points, probability
from dareps.report._section import Section
from dareps.suite._results import AVERAGE, CHOSEN, ORACLE, TARGET_ONLY, dataset_name, split_name
from dareps.suite.exports import Entry
from dareps.suite.statistics import mean


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, a tooltip, and a shade from -1 (worse) to 1 (better) where the table is a heat table."""

    text: str
    title: str = ""
    shade: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row with its role: `bound`, `chosen`, `best`, `failed` or none."""

    cells: tuple[Cell, ...]
    role: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; `groups` are set apart from each other. Kinds: `board`, `heat`, `list`, `plain`."""

    title: str
    columns: tuple[str, ...]
    groups: tuple[tuple[Row, ...], ...]
    note: str = ""
    kind: str = "plain"


COLUMNS = (
    *("recipe", "accuracy %", "95 % interval", "vs REFERENCE", "p (Holm)", "regret", "target labels", "n"),
    "remarks",
)
_ALWAYS = frozenset({0, 1, 6, 7, 8})
"""Columns that stay when they are empty."""


def board_table(section: Section, split: str = AVERAGE) -> Table:
    """One split's leaderboard, or the average's, under the headline's rule; the bounds stand apart.

    A recipe whose runs all failed has a row of its own; columns without a single figure are left out.
    """
    title = "Average over splits" if split == AVERAGE else split
    title = section.splits[0] if split == AVERAGE and len(section.splits) == 1 else title
    groups = grouped(section, split, lambda entry: _board_row(section, entry, split))
    failed = tuple(_failed_row(name, section.failures(name, split)) for name in section.failing(split))
    columns = tuple(
        name.replace("accuracy", section.measure).replace("REFERENCE", section.reference) for name in COLUMNS
    )
    return _without_empty(Table(title, columns, (*groups, failed) if failed else groups, kind="board"))


def split_table(section: Section) -> Table:
    """Means per split as a heat table: shaded by the paired difference to the reference."""
    compared = [entry for split in section.splits for entry in section.board(split) if entry.recipe != TARGET_ONLY]
    largest = max((abs(entry.difference or 0.0) for entry in compared), default=0.0)

    def row(entry: Entry) -> Row:
        cells = [_heat_cell(section, section.entry(entry.recipe, split), largest) for split in section.splits]
        return Row((Cell(entry.recipe), *cells, Cell(percent(entry.mean))), role_of(section, entry))

    note = (
        f"Mean {section.measure} % over seeds. Shade: paired difference to {section.reference}, blue above it and "
        f"orange below; full at {percent(largest)} points either way."
    )
    columns = ("recipe", *section.splits, "average")
    return Table(f"{capital(section.measure)} per split", columns, grouped(section, AVERAGE, row), note, "heat")


def rule_table(section: Section) -> Table:
    """Average main metric of each recipe under each selection rule."""

    def row(entry: Entry) -> Row:
        found = [section.entry(entry.recipe, rule=rule) for rule in section.rules]
        cells = [Cell(NONE if own is None else percent(own.mean), _regret_title(own)) for own in found]
        return Row((Cell(entry.recipe), *cells), role_of(section, entry))

    names = [f"{rule} (sees target labels)" if rule == ORACLE else rule for rule in section.rules]
    note = f"Average {section.measure} % over splits and seeds at the checkpoint that each rule selects."
    return Table("What the selection rule is worth", ("recipe", *names), grouped(section, AVERAGE, row), note)


def figures_table(section: Section) -> Table:
    """Further figures at the headline's checkpoints, means over all runs."""
    known = {name for run in section.finished for own in run.selected for name in own.metrics}
    names = [name for name in section.kind.further if name in known or not known]  # Older runs lack some.

    def row(entry: Entry) -> Row:
        runs = section.runs(entry.recipe)
        rows = [own for run in runs if (own := section.selected(run)) is not None]
        figures = [
            *(_figure(name, _mean(own.metrics.get(name) for own in rows)) for name in names),
            percent(_mean(own.source_metric for own in rows)),
            f"{_mean(float(own.step) for own in rows) or 0:.0f}",
            f"{_mean(run.seconds for run in runs) or 0:.1f}",
        ]
        return Row((Cell(entry.recipe), *map(Cell, figures)), role_of(section, entry))

    last = (f"source {section.measure} %", "step selected", "seconds a run")
    columns = ("recipe", *(_TITLES[name] for name in names), *last)
    return Table("Further figures", columns, grouped(section, AVERAGE, row), "Means over all runs.")


_TITLES = {
    "balanced_accuracy": "balanced accuracy %",
    "macro_f1": "macro-F1 %",
    "calibration_error": "calibration error %",
    "exact_match": "exact match %",
    "explained_variance": "explained variance %",
    "rmse": "RMSE",
    "mae": "MAE",
}
"""What tables call further figures; those without % are in the units of the labels."""


def _figure(name: str, value: float | None) -> str:
    if value is None or _TITLES[name].endswith("%"):
        return percent(value)
    return f"{value:.4g}"


def failed_table(outcomes: Iterable[Outcome]) -> Table | None:
    """The runs that failed and why."""
    rows = tuple(Row(_names(run, run.error or "no reason was given")) for run in outcomes if run.status == "failed")
    return Table("Failed runs", ("dataset", "split", "recipe", "seed", "error"), (rows,), kind="list") if rows else None


def warnings_table(outcomes: Iterable[Outcome]) -> Table | None:
    """The warnings of runs: collapse and the like."""
    rows = tuple(Row(_names(run, text)) for run in outcomes for text in run.warnings)
    return Table("Warnings", ("dataset", "split", "recipe", "seed", "warning"), (rows,), kind="list") if rows else None


def stale_table(outcomes: Iterable[Outcome]) -> Table | None:
    """Stale runs, counted by dataset and recipe."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for run in outcomes:
        groups.setdefault((dataset_name(run.identity), run.identity.recipe), []).append(run)
    rows = []
    for (dataset, recipe), runs in groups.items():
        splits = sorted({split_name(run.identity) for run in runs})
        rows.append(Row((Cell(dataset), Cell(recipe), Cell(", ".join(splits)), Cell(str(len(runs))))))
    columns = ("dataset", "recipe", "splits", "runs")
    return Table("Stale runs, left out above", columns, (tuple(rows),), kind="list") if rows else None


def _names(run: Outcome, text: str) -> tuple[Cell, ...]:
    own = run.identity
    return (Cell(dataset_name(own)), Cell(split_name(own)), Cell(own.recipe), Cell(str(own.seed)), Cell(text))


def grouped(section: Section, split: str, row: Callable[[Entry], Row]) -> tuple[tuple[Row, ...], ...]:
    """What was chosen among all, then the upper bound, the methods by accuracy, and the lower bound."""
    board = section.board(split)
    apart = (CHOSEN, TARGET_ONLY, section.reference)
    single = {name: [entry for entry in board if entry.recipe == name] for name in apart}
    methods = [entry for entry in board if entry.recipe not in apart]
    groups: list[Sequence[Entry]] = [single[CHOSEN], single[TARGET_ONLY], methods, single[section.reference]]
    return tuple(tuple(row(entry) for entry in group) for group in groups if group)


def _board_row(section: Section, entry: Entry, split: str) -> Row:
    cells = (
        Cell(entry.recipe),
        Cell(percent(entry.mean)),
        Cell(interval(entry.low, entry.high, section.kind.share)),
        Cell(points(entry.difference)),
        Cell(probability(entry.p)),
        Cell(points(entry.regret).removeprefix("+")),
        Cell(_labels(section, entry, split)),
        Cell(str(entry.n)),
        Cell(", ".join(_remarks(section, entry, split))),
    )
    return Row(cells, role_of(section, entry))


def _failed_row(recipe: str, failed: int) -> Row:
    figures = [Cell(NONE) for _ in COLUMNS[2:-2]]
    return Row((Cell(recipe), Cell("failed"), *figures, Cell("0"), Cell(f"\u2716 {failed} failed")), "failed")


def _without_empty(table: Table) -> Table:
    rows = [row for group in table.groups for row in group]
    filled = {place for row in rows for place, cell in enumerate(row.cells) if cell.text != NONE}
    kept = [place for place in range(len(table.columns)) if place in _ALWAYS or place in filled]
    groups = [tuple(Row(tuple(row.cells[p] for p in kept), row.role) for row in group) for group in table.groups]
    return replace(table, columns=tuple(table.columns[place] for place in kept), groups=tuple(groups))


def _labels(section: Section, entry: Entry, split: str) -> str:
    """How many target labels were seen: a range where splits differ."""
    names = section.splits if split == AVERAGE else [split]
    found = [own.target_labels for name in names if (own := section.entry(entry.recipe, name)) is not None]
    low, high = min(found, default=entry.target_labels), max(found, default=entry.target_labels)
    return str(low) if low == high else f"{low}{NONE}{high}"


def _remarks(section: Section, entry: Entry, split: str) -> list[str]:
    warned, failed = section.warnings(entry.recipe, split), section.failures(entry.recipe, split)
    choice = "choice on validation rows" if section.supervised else "label-free choice"
    roles = {section.reference: section.role, TARGET_ONLY: "upper bound", CHOSEN: choice}
    told = [roles[entry.recipe]] if entry.recipe in roles else []
    told += ["oracle recipe"] if entry.oracle_recipe else []
    told += [f"\u26a0 {warned} collapsed"] if warned else []
    return [*told, f"\u2716 {failed} failed"] if failed else told


def role_of(section: Section, entry: Entry) -> str:
    """How a recipe's row is set off: `bound`, `chosen`, `best` or not at all."""
    if entry.recipe in section.bounds:
        return "bound"
    return "chosen" if entry.recipe == CHOSEN else "best" if entry.oracle_recipe else ""


def _heat_cell(section: Section, entry: Entry | None, largest: float) -> Cell:
    if entry is None or entry.mean is None:
        return Cell(NONE)
    shade = None if entry.difference is None or not largest else max(-1.0, min(1.0, entry.difference / largest))
    against = f"{points(entry.difference)} points against {section.reference}, " if entry.difference is not None else ""
    return Cell(percent(entry.mean), f"{against}n = {entry.n}", shade)


def _regret_title(entry: Entry | None) -> str:
    return "" if entry is None or entry.regret is None else f"regret {points(entry.regret)} points"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None
