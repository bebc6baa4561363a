"""Suites small enough to run whole in a test, and what they leave behind."""

from __future__ import annotations

import csv
from pathlib import Path

SPLIT = "digits8/fonts:scans"
SHORT = "phases.*.steps: 100, engine.evaluations: 2, engine.flush: 10, engine.checkpoint_seconds: 0"
TINY = f"recipes: [source_only, dann]\nseeds: 2\nset: {{{SHORT}}}\n"


def write_suite(folder: Path, text: str, name: str = "tiny") -> Path:
    """A suite's file on the embedded digits."""
    path = folder / f"{name}.yaml"
    path.write_text(f"splits: [{SPLIT}]\n{text}", encoding="utf-8")
    return path


def csv_rows(path: Path) -> list[dict[str, str]]:
    """A CSV file as mappings."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def timeless(path: Path) -> list[dict[str, str]]:
    """The rows of `runs.csv` without what differs from one machine, or one go, to the next."""
    return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv_rows(path)]
