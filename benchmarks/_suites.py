"""Accuracy benchmarks: carry out a shipped suite and hold its leaderboard against published figures and targets."""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks._measure import RESULTS, ROOT, Figure, publish
from dareps.suite.statistics import interval, mean
from dareps.suite.units import EVERY_TASK, POOLED

RULES = (
    *("information_maximisation", "domain_bound", "reverse_validation", "dev"),
    *("source_accuracy", "source_score", "entropy", "last", "oracle"),
)
AVERAGE = "average"
FEW, MANY = 4, 8
"""Units up to which each one's difference is listed, and each one's figures."""
HEADLINE = RULES[0]
Reading = Literal["mean", "chosen", "ensemble"]
READINGS: dict[Reading, str] = {"chosen": "seed chosen by the rule", "ensemble": "ensemble of seeds"}


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that has a target.

    Attributes:
        recipe: Name in the leaderboard; `chosen` is what the label-free rule picks among all recipes.
        selection: The rule.
        bound: The least accuracy aimed at.
        splits: Splits to average over; the leaderboard's own average when empty.
        reading: `mean` over seeds, the seed `chosen` by the rule, or the `ensemble` of all seeds.
    """

    recipe: str
    selection: str
    bound: float
    splits: tuple[str, ...] = ()
    reading: Reading = "mean"

    @property
    def label(self) -> str:
        """What the figure is called."""
        kind = "" if self.reading == "mean" else f"{READINGS[self.reading]} of "
        where = f" on {', '.join(self.splits)}" if self.splits else ""
        return f"{kind}{self.recipe} by {self.selection}{where}"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A suite, its goals, and what others have published on it.

    Attributes:
        minutes: Aimed at for the whole suite on two cores; None for no aim.
        published: What -> figure, printed beside ours.
        rule: The rule of the headline.
    """

    suite: str
    goals: tuple[Goal, ...]
    minutes: float | None
    published: dict[str, float]
    rule: str = HEADLINE


def main(benchmark: Benchmark, arguments: Sequence[str] | None = None) -> None:
    """Carry out what is missing of the suite, print the table and write the results file."""
    options = _options(benchmark, arguments)
    folder = options.out / benchmark.suite
    fresh = not (folder / "results.sqlite").exists()
    clock = time.monotonic()
    command = [sys.executable, "-m", "dareps", "bench", benchmark.suite, "--out", str(options.out)]
    command += ["--seeds", str(options.seeds)] if options.seeds else []
    subprocess.run(command, check=False, cwd=ROOT)
    minutes = (time.monotonic() - clock) / 60 if fresh else None
    rows, seeds = csv_rows(folder / "leaderboard.csv"), csv_rows(folder / "ensembles.csv")
    figures = [_time(benchmark, minutes), *_goals(benchmark, seeds), *_recipes(rows), *_seeds(seeds)]
    figures += deltas(csv_rows(folder / "delta.csv"), benchmark.rule)
    figures += _together(csv_rows(folder / "domains.csv"), benchmark.rule)
    figures += [Figure(what, value, group="published") for what, value in benchmark.published.items()]
    publish(benchmark.suite, figures, options.results)


def _options(benchmark: Benchmark, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark.suite}")
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where the suite's results are kept")
    parser.add_argument("--seeds", type=int, default=None, help="number of seeds instead of the suite's")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file")
    return parser.parse_args(arguments)


def csv_rows(path: Path) -> list[dict[str, str]]:
    """The leaderboard, or nothing when the suite left none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _time(benchmark: Benchmark, minutes: float | None) -> Figure:
    note = "" if minutes is not None else "not timed: results were there before; give an empty --out"
    figure = Figure("wall time of the suite", minutes, unit="min", group="suite", note=note)
    return figure.at_most(benchmark.minutes) if benchmark.minutes is not None else figure


def _goals(benchmark: Benchmark, rows: Sequence[dict[str, str]]) -> list[Figure]:
    return [_goal(goal, rows).at_least(goal.bound) for goal in benchmark.goals]


def _goal(goal: Goal, rows: Sequence[dict[str, str]]) -> Figure:
    wanted = goal.splits or (AVERAGE,)
    matching = [row for split in wanted for row in _matching(rows, split, goal.recipe, goal.selection)]
    found = [float(row[goal.reading]) for row in matching if row[goal.reading]]
    value = sum(found) / len(found) if len(found) == len(wanted) else None
    note = "" if value is not None else "the suite left no such row"
    return Figure(goal.label, value, group="targets", note=note)


def _matching(rows: Sequence[dict[str, str]], split: str, recipe: str, rule: str) -> list[dict[str, str]]:
    return [row for row in rows if (row["split"], row["recipe"], row["selection"]) == (split, recipe, rule)]


def _recipes(rows: Sequence[dict[str, str]]) -> list[Figure]:
    """Averages over the splits of each dataset, every recipe under every rule."""
    averages = [row for row in rows if row["split"] == AVERAGE and row["mean"]]
    return [
        Figure(row["recipe"], float(row["mean"]), spread=_interval(row), group=f"{place}, {rule}")
        for rule in RULES
        for place, own in _places(averages)
        for row in own
        if row["selection"] == rule
    ]


def _seeds(rows: Sequence[dict[str, str]]) -> list[Figure]:
    """Averages of chosen seeds and of ensembles under the headline's rule, apart from the means over seeds."""
    averages = [row for row in rows if (row["split"], row["selection"]) == (AVERAGE, HEADLINE)]
    return [
        Figure(row["recipe"], float(row[reading]), group=f"{place}, {name} ({HEADLINE})")
        for reading, name in READINGS.items()
        for place, own in _places(averages)
        for row in own
        if row[reading]
    ]


def _places(rows: Sequence[dict[str, str]]) -> list[tuple[str, list[dict[str, str]]]]:
    """The rows by dataset, which is named where there are several."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row.get("dataset", ""), []).append(row)
    if len(found) > MANY:
        return []
    return [(AVERAGE if len(found) == 1 else f"{name} {AVERAGE}", own) for name, own in found.items()]


def _together(rows: Sequence[dict[str, str]], rule: str) -> list[Figure]:
    """What the rows of all tasks together give, every metric and recipe, where tasks are numbers."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if (row["task"], row["domain"], row["selection"]) == (EVERY_TASK, POOLED, rule):
            found.setdefault((row["metric"], row["recipe"]), []).append(float(row["value"]))
    return [
        Figure(recipe, mean(values), spread=interval(values), group=f"{metric} of all tasks' rows")
        for (metric, recipe), values in sorted(found.items())
    ]


def deltas(rows: Sequence[dict[str, str]], rule: str, prefix: str = "") -> list[Figure]:
    """Delta_m of every recipe in both conventions, in percent, and each task's own difference where there are few."""
    own = [row for row in rows if row["selection"] == rule and row["value"]]
    whole = [row for row in own if row["measure"] != "difference"]
    single = [row for row in own if row["measure"] == "difference"]
    few = single if len({(row["task"], row["domain"]) for row in single}) <= FEW else []
    return [
        Figure(
            row["recipe"],
            float(row["value"]),
            unit="%" if row["measure"] != "difference" else "",
            spread=_interval(row),
            note=f"p = {float(row['p']):.3g} after Holm" if row["p"] else "",
            group=f"{prefix}{_measure(row)} against {row['baseline']}",
        )
        for row in [*whole, *few]
    ]


def _measure(row: dict[str, str]) -> str:
    if row["measure"] == "difference":
        return f"difference in {row['task']}"
    return f"Delta_m {row['measure'].replace('_', ' ')}"


def _interval(row: dict[str, str]) -> tuple[float, float] | None:
    return (float(row["low"]), float(row["high"])) if row["low"] and row["high"] else None
