"""`runs.csv` and `leaderboard.csv`, written from the results store."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dareps.engine.outcome import Outcome, UnitScore, by_task
from dareps.suite._board import Entry, leaderboard
from dareps.suite._files import write_whole
from dareps.suite._results import dataset_name, split_name
from dareps.suite.apart import Comparison, standing
from dareps.suite.delta import DeltaEntry, delta_board
from dareps.suite.forgetting import Forgetting, forgetting_board
from dareps.suite.hindsight import Told, told_in
from dareps.suite.seeds import SeedEntry, seed_board
from dareps.suite.store import Store
from dareps.suite.units import figures_of, over_tasks, units_of, with_summaries
from dareps.transfer.advice import advise

__all__ = ["LEADERBOARD_COLUMNS", "RUNS_COLUMNS", "Entry", "leaderboard", "write_exports"]

RUNS_COLUMNS: Final = (
    *("run", "recipe", "dataset", "source", "target", "task", "seed", "status", "selection", "step", "score"),
    *("source_metric", "target_metric", "target_labels", "seconds"),
)
LEADERBOARD_COLUMNS: Final = (
    *("dataset", "split", "recipe", "selection", "n", "mean", "low", "high", "difference", "p", "regret"),
    "target_labels",
)
ENSEMBLE_COLUMNS: Final = (
    *("dataset", "split", "recipe", "selection", "n", "mean", "chosen_seed", "chosen", "members", "ensemble"),
    "target_labels",
)

DOMAINS_COLUMNS: Final = (
    *("recipe", "dataset", "split", "task", "domain", "seed", "selection", "step", "rows", "metric", "value"),
)
FORGETTING_COLUMNS: Final = (*("dataset", "split", "recipe", "task", "n", "before", "after", "change", "low", "high"),)
ADVICE_COLUMNS: Final = (
    *("dataset", "split", "task", "seed", "rows", "classes", "entropy", "leep", "nce", "stage", "width", "distance"),
    *("logme", "h_score", "size", "likeness", "strategy", "cut"),
)
DELTA_COLUMNS: Final = (
    *("dataset", "split", "recipe", "selection", "baseline", "measure", "task", "domain", "n", "mean", "base"),
    *("value", "low", "high", "p", "missing"),
)

Cell = str | int | float | None


def write_exports(store: Store, seeds: Sequence[SeedEntry] | None = None) -> tuple[Path, Path]:
    """Write `runs.csv` (every run, stale ones marked) and `leaderboard.csv` (current runs) beside the store.

    `domains.csv` has the current runs' figures of each task on each domain, with their average and on all rows pooled.
    `forgetting.csv` says what recipes of several phases still know of what they learned first.
    `advice.csv` says what was measured of each split for advice, a row per stage, and what was advised.
    `delta.csv` sets every recipe against the suite's baseline: Delta_m, and the difference of each task on each domain.
    `ensembles.csv` sets the mean of the seeds against the seed that the rule prefers and against their ensemble: the
    entries in `seeds` where they are known, for reading every run's predictions takes a while.

    Raises:
        StoreError: The results cannot be read, or the files not written.
    """
    single, current = store.outcomes(details=False), standing(store, details=False)
    comparison = Comparison.of(store)
    runs, board = store.folder / "runs.csv", store.folder / "leaderboard.csv"
    write_whole(runs, _text(RUNS_COLUMNS, runs_rows(single, store.outcomes(stale=True, details=False))))
    write_whole(
        board, _text(LEADERBOARD_COLUMNS, _cells(leaderboard(current, comparison.reference), LEADERBOARD_COLUMNS))
    )
    write_whole(store.folder / "domains.csv", _text(DOMAINS_COLUMNS, domains_rows(current)))
    kept = forgetting_board(store.outcomes())
    write_whole(store.folder / "forgetting.csv", _text(FORGETTING_COLUMNS, _cells(kept, FORGETTING_COLUMNS)))
    write_whole(store.folder / "advice.csv", _text(ADVICE_COLUMNS, advice_rows(told_in(store))))
    delta = delta_board(current, comparison.baseline)
    write_whole(store.folder / "delta.csv", _text(DELTA_COLUMNS, _cells(delta, DELTA_COLUMNS)))
    known = seed_board(current, store.folder) if seeds is None else seeds
    write_whole(store.folder / "ensembles.csv", _text(ENSEMBLE_COLUMNS, _cells(known, ENSEMBLE_COLUMNS)))
    return runs, board


def runs_rows(current: Iterable[Outcome], stale: Iterable[Outcome]) -> Iterator[Sequence[Cell]]:
    """One row per run, task and selection rule; a run without any, such as a failed one, has one row."""
    for outcome in by_task(current):
        yield from _run_rows(outcome, outcome.status)
    for outcome in by_task(stale):
        yield from _run_rows(outcome, "stale")


def domains_rows(outcomes: Iterable[Outcome]) -> Iterator[Sequence[Cell]]:
    """One row per run, task, domain, selection rule and metric, the main metric first.

    Where a task has several domains, their `average` and what all their rows `pooled` give follow, and where several
    tasks are numbers, those of `all tasks`; pooled R^2 is what the literature on the School data calls explained
    variance.
    """
    whole: dict[tuple[str, str, str, int], list[UnitScore]] = {}
    for outcome in outcomes:
        run, units = outcome.identity, units_of(outcome)
        who = (run.recipe, dataset_name(run), split_name(run), run.seed)
        whole.setdefault(who, []).extend(units)
        yield from _unit_rows(who, with_summaries(units))
    for who, units in whole.items():  # A recipe may have a run for each task.
        yield from _unit_rows(who, over_tasks(units))


def advice_rows(told: Iterable[Told]) -> Iterator[Sequence[Cell]]:
    """One row per task, split, seed and stage of what was measured, with what it leads to."""
    for own in told:
        found, advice = own.measured, advise(own.measured)
        first = (own.dataset, own.split, found.task, own.seed, found.rows, found.classes)
        for stage in found.stages:
            numbers = (stage.name, stage.width, stage.distance, stage.logme, stage.h_score)
            last = (advice.size, advice.likeness, advice.strategy, advice.cut)
            yield (*first, found.entropy, found.leep, found.nce, *numbers, *last)


def _unit_rows(who: tuple[str, str, str, int], units: Iterable[UnitScore]) -> Iterator[Sequence[Cell]]:
    *place, seed = who
    for unit in units:
        for name, value in figures_of(unit).items():
            yield (*place, unit.task, unit.domain, seed, unit.selection, unit.step, unit.rows, name, value)


def _cells(
    entries: Iterable[Entry | SeedEntry | DeltaEntry | Forgetting], columns: Sequence[str]
) -> Iterator[Sequence[Cell]]:
    """One row per entry."""
    return (tuple(getattr(entry, name) for name in columns) for entry in entries)


def _run_rows(outcome: Outcome, status: str) -> Iterator[Sequence[Cell]]:
    run = outcome.identity
    first = (run.key, run.recipe, dataset_name(run), run.source, run.target, run.task, run.seed, status)
    last = (outcome.target_labels, outcome.seconds)
    for row in outcome.selected:
        yield (*first, row.selection, row.step, row.score, row.source_metric, row.target_metric, *last)
    if not outcome.selected:
        yield (*first, None, None, None, None, None, *last)


def _text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Comma-separated text; numbers in full, so that reading them back gives the same ones."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()
