"""Outcomes as rows of the results file: tables, digests and the way back."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dareps.engine.outcome import Identity, Outcome, Selected, UnitScore
from dareps.recipe.neutral import ENGINE_NEUTRAL

FORMAT: Final = 1
"""Kept in the file's `user_version`; raised with every change that older code cannot read."""

NEUTRAL: Final = {"engine": ENGINE_NEUTRAL, "method": ("plugins",)}
"""Settings that a run's key leaves out, by section."""

SCHEMA: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE expected (key TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE runs (
        key TEXT PRIMARY KEY, recipe TEXT NOT NULL, dataset TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
        task TEXT NOT NULL, protocol TEXT NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL,
        target_labels INTEGER NOT NULL, seconds REAL, error TEXT NOT NULL, warnings TEXT NOT NULL, folder TEXT NOT NULL,
        config TEXT NOT NULL, setting TEXT NOT NULL, saved INTEGER NOT NULL, curves TEXT NOT NULL, scatter BLOB)""",
    """CREATE TABLE selected (
        key TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, place INTEGER NOT NULL, selection TEXT NOT NULL,
        step INTEGER NOT NULL, score REAL, source_metric REAL, target_metric REAL, metrics TEXT NOT NULL,
        confusion TEXT NOT NULL, PRIMARY KEY (key, selection)) WITHOUT ROWID""",
)

FURTHER: Final = """CREATE TABLE IF NOT EXISTS further (
    key TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, task TEXT NOT NULL, number INTEGER NOT NULL,
    place INTEGER NOT NULL, selection TEXT NOT NULL, step INTEGER NOT NULL, score REAL, source_metric REAL,
    target_metric REAL, metrics TEXT NOT NULL, confusion TEXT NOT NULL, PRIMARY KEY (key, task, selection)
    ) WITHOUT ROWID"""
"""Figures of a run's further tasks; made with the first run that has some, so that older code reads the file."""

UNITS: Final = """CREATE TABLE IF NOT EXISTS units (
    key TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, place INTEGER NOT NULL, task TEXT NOT NULL,
    domain TEXT NOT NULL, selection TEXT NOT NULL, step INTEGER NOT NULL, rows INTEGER NOT NULL, value REAL,
    metrics TEXT NOT NULL, confusion TEXT NOT NULL, sums TEXT NOT NULL, PRIMARY KEY (key, place)) WITHOUT ROWID"""
"""Figures of each task on each test domain; made with the first run that has some, as `FURTHER` is."""

RUN_COLUMNS: Final = (
    *("key", "recipe", "dataset", "source", "target", "task", "protocol", "seed", "status", "target_labels"),
    *("seconds", "error", "warnings", "folder", "config", "setting", "saved", "curves", "scatter"),
)
SELECTED_COLUMNS: Final = (
    *("key", "place", "selection", "step", "score", "source_metric", "target_metric", "metrics", "confusion"),
)

FURTHER_COLUMNS: Final = (*SELECTED_COLUMNS, "task", "number")

UNIT_COLUMNS: Final = (
    *("key", "place", "task", "domain", "selection", "step", "rows", "value", "metrics", "confusion", "sums"),
)

ORIGIN: Final = "pretrained/"
"""Before a run's key in `meta`: what became of the file of weights that it started from."""

Values = tuple[Any, ...]


def run_values(outcome: Outcome, saved: int) -> Values:
    """The values of `RUN_COLUMNS`; numbers are made Python's own, which SQLite stores exactly."""
    run = outcome.identity
    words = (run.key, run.recipe, run.dataset, run.source, run.target, run.task, run.protocol)
    scatter = None if outcome.scatter is None else zlib.compress(_text(outcome.scatter).encode())
    numbers = (int(run.seed), outcome.status, int(outcome.target_labels), float(outcome.seconds))
    notes = (outcome.error, _text(outcome.warnings), outcome.folder, _text(run.config), setting(run.config))
    return (*words, *numbers, *notes, saved, _text(outcome.curves), scatter)


def selected_values(outcome: Outcome) -> list[Values]:
    """The values of `SELECTED_COLUMNS`, one tuple per selection rule, in the outcome's order."""
    return _selected_rows(outcome.identity.key, outcome.selected)


def further_values(outcome: Outcome) -> list[Values]:
    """The values of `FURTHER_COLUMNS`, one tuple per further task and selection rule."""
    return [
        (*row, task, number)
        for number, (task, selected) in enumerate(outcome.others.items())
        for row in _selected_rows(outcome.identity.key, selected)
    ]


def unit_values(outcome: Outcome) -> list[Values]:
    """The values of `UNIT_COLUMNS`, one tuple per task, domain and selection rule, in the outcome's order."""
    return [
        (
            *(outcome.identity.key, place, row.task, row.domain, row.selection, int(row.step), int(row.rows)),
            *(float(row.value), _text(row.metrics), _text(row.confusion), _text(row.sums)),
        )
        for place, row in enumerate(outcome.units)
    ]


def _selected_rows(key: str, selected: Sequence[Selected]) -> list[Values]:
    return [
        (
            *(key, place, row.selection, int(row.step), float(row.score)),
            *(float(row.source_metric), float(row.target_metric), _text(row.metrics), _text(row.confusion)),
        )
        for place, row in enumerate(selected)
    ]


def read_outcome(
    row: Mapping[str, Any],
    origin: str | None,
    selected: Sequence[Selected],
    others: Mapping[str, Sequence[Selected]],
    units: Sequence[UnitScore] = (),
) -> Outcome:
    """The outcome that was saved as `row`; a column that was not asked for reads as empty."""
    identity = Identity(
        **{name: row[name] for name in ("key", "recipe", "dataset", "source", "target", "task", "protocol", "seed")},
        config=json.loads(row["config"]),
    )
    scatter, curves = row["scatter"], json.loads(row["curves"])
    return Outcome(
        identity,
        row["status"],
        target_labels=row["target_labels"],
        seconds=_number(row["seconds"]),
        error=row["error"],
        warnings=tuple(json.loads(row["warnings"])),
        selected=tuple(selected),
        curves={name: [(int(step), float(value)) for step, value in curve] for name, curve in curves.items()},
        scatter=None if scatter is None else json.loads(zlib.decompress(scatter)),
        folder=row["folder"],
        others={task: tuple(rows) for task, rows in others.items()},
        units=tuple(units),
        pretrained=None if origin is None else json.loads(origin),
    )


def origins_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Key -> what became of the file of weights that the run started from."""
    rows = connection.execute("SELECT name, value FROM meta WHERE name LIKE ?", (f"{ORIGIN}%",))
    return {row["name"].removeprefix(ORIGIN): row["value"] for row in rows}


def read_unit(row: Mapping[str, Any]) -> UnitScore:
    """The figures of one task on one domain."""
    plain = {name: row[name] for name in ("task", "domain", "selection", "step", "rows")}
    listed = {name: json.loads(row[name]) for name in ("metrics", "confusion", "sums")}
    return UnitScore(**plain, value=_number(row["value"]), **listed)


def read_selected(row: Mapping[str, Any]) -> Selected:
    """One selection rule's checkpoint."""
    return Selected(
        selection=row["selection"],
        step=row["step"],
        score=_number(row["score"]),
        source_metric=_number(row["source_metric"]),
        target_metric=_number(row["target_metric"]),
        metrics=json.loads(row["metrics"]),
        confusion=json.loads(row["confusion"]),
    )


def setting(config: Mapping[str, Any]) -> str:
    """Digest of a configuration without its seed and without what leaves results alone.

    Runs that share it are repetitions of each other.
    """
    kept = {
        key: {name: item for name, item in value.items() if name not in NEUTRAL[key]}
        if key in NEUTRAL and isinstance(value, Mapping)
        else value
        for key, value in config.items()
        if key != "seed"
    }
    return hashlib.sha256(_text(kept, sort=True).encode()).hexdigest()[:16]


def _text(value: object, *, sort: bool = False) -> str:
    return json.dumps(value, default=_plain, separators=(",", ":"), sort_keys=sort)


def _plain(value: Any) -> object:
    """Arrays and their scalars as lists and numbers; anything else by its name."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _number(value: float | None) -> float:
    # SQLite keeps a NaN as NULL.
    return math.nan if value is None else value
