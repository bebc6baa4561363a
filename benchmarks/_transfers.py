"""Suites of transfer: carried out, and told recipe by recipe against their baselines."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._measure import RESULTS, ROOT, Figure, publish
from benchmarks._suites import csv_rows


def benchmark(
    suite: str,
    about: str | None,
    rule: str,
    budget: float,
    arguments: Sequence[str] | None,
    tell: Callable[[Sequence[dict[str, str]]], list[Figure]] | None = None,
) -> Options:
    """Carry out a suite from the command line and publish every recipe's figures; gives what was asked for.

    Args:
        suite: Name of the suite, and of the results file.
        about: What `--help` says.
        rule: Whose checkpoints are told.
        budget: Minutes aimed at.
        arguments: The command line's.
        tell: Makes figures of the leaderboard's rows; `told` by default.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{suite}", description=about)
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where the suite's results are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file and of a plot")
    options = Options(**vars(parser.parse_args(arguments)))
    minutes = carried_out(suite, options.out)
    publish(suite, [*(tell or told)(means(options.out / suite, rule)), wall_time(minutes, budget)], options.results)
    return options


@dataclass(frozen=True, slots=True)
class Options:
    """Folders that a benchmark writes to."""

    out: Path
    results: Path


def carried_out(suite: str, out: Path) -> float | None:
    """Run a suite into `out/SUITE`; gives the minutes that it took, None where results were there before."""
    fresh, clock = not (out / suite).exists(), time.monotonic()
    subprocess.run([sys.executable, "-m", "dareps", "bench", suite, "--out", str(out)], check=False, cwd=ROOT)
    return (time.monotonic() - clock) / 60 if fresh else None


def means(folder: Path, rule: str) -> list[dict[str, str]]:
    """The leaderboard's rows of single splits under a rule, with a mean."""
    rows = csv_rows(folder / "leaderboard.csv")
    return [row for row in rows if row["selection"] == rule and row["mean"] and row["split"] != "average"]


def figure(row: dict[str, str], group: str) -> Figure:
    """A row's mean with its interval, and what it gained on the baseline."""
    spread = (float(row["low"]), float(row["high"])) if row["low"] else None
    gained = f"{100 * float(row['difference']):+.1f} points on the baseline" if row["difference"] else "the baseline"
    note = f"{gained}, {row['target_labels']} target labels"
    return Figure(row["recipe"], float(row["mean"]), spread=spread, note=note, group=group)


def wall_time(minutes: float | None, budget: float) -> Figure:
    """How long the suite took."""
    note = "" if minutes is not None else "not timed: results were there before; give an empty --out"
    return Figure("wall time of the suite", minutes, unit="min", group="suite", note=note).at_most(budget)


def told(rows: Sequence[dict[str, str]]) -> list[Figure]:
    """Every row, by dataset and split."""
    return [figure(row, f"{row['dataset']}, {row['split']}") for row in rows]
