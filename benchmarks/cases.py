"""The four ways to use a pretrained model, over sizes and likenesses of the target, and how often advice was right.

With `--calibrate` the advice is held against declared validation labels of other targets instead, which its thresholds
were set by: no test label is read there, and none of its cells is one of the suite's.
"""

from __future__ import annotations

import argparse
import itertools
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

from benchmarks._measure import RESULTS, ROOT, Figure, publish
from benchmarks._transfers import carried_out, means, told, wall_time
from dareps.suite.apart import standing
from dareps.suite.hindsight import STRATEGIES, Case, agreements, always, cases, hits, told_in
from dareps.suite.statistics import mean
from dareps.suite.store import Store
from dareps.transfer import advice

SUITE, RULE, MINUTES = "cases", "last", 40.0
CALIBRATION, HELD = "cases_calibration", "target_score"
SHARE = 80.0
"""Cells in which advice shall be within a point of the best strategy, in percent."""
TARGETS = {
    "variety": [f"varieties[shift={shift}]/stall:studio@{rows}+30" for shift in (0.1, 0.6) for rows in (9, 45, 110)],
    "kind": [f"attributes/solids:fruit@{rows}+50" for rows in (8, 40, 150)],
    "colour": [f"attributes/solids:fruit@{rows}+40" for rows in (8, 40, 150)],
    "digit": [f"digits8/{sides}@{rows}+18" for sides in ("fonts:scans", "scans:fonts") for rows in (10, 45)],
}
"""The task of a model -> splits for calibration, with their validation labels behind the plus."""
TRIED = {"FEW": (10, 20, 50, 100, 200), "NEAR": (0.5, 1.0, 1.5, 2.0)}
"""Thresholds of the advice that calibration compares."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite, or the calibration, and publish what the strategies reached and what advice cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cases", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where results are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file")
    parser.add_argument("--calibrate", action="store_true", help="hold advice against declared validation labels")
    options = parser.parse_args(arguments)
    if options.calibrate:
        publish(CALIBRATION, list(calibrated(options.out / CALIBRATION)), options.results)
        return
    minutes = carried_out(SUITE, options.out)
    found = tested(options.out / SUITE)
    figures = [*summary(found), *cell_figures(found), *told(means(options.out / SUITE, RULE))]
    publish(SUITE, [*figures, wall_time(minutes, MINUTES)], options.results)


def tested(folder: Path) -> list[Case]:
    """The suite's cells, by test rows."""
    store = Store(folder, create=False)
    return cases(standing(store), told_in(store), [RULE], baseline="from_scratch")


def calibrated(out: Path) -> Iterator[Figure]:
    """Run what is missing and hold advice, and other thresholds of it, against validation labels."""
    for task, splits in TARGETS.items():
        words = ["--recipes", ",".join(STRATEGIES), "--splits", ",".join(splits), f"tasks=[{task}]"]
        command = [sys.executable, "-m", "dareps", "bench", SUITE, *words, "--out", str(out / task)]
        subprocess.run(command, check=False, cwd=ROOT)
    found = validated(out)
    yield from summary(found)
    for few, near in itertools.product(*TRIED.values()):
        with mock.patch.object(advice, "FEW", few), mock.patch.object(advice, "NEAR", near):
            other = validated(out)
        note = f"mean regret {100 * mean(own.regret for own in other):.2f} points"
        what = f"FEW {few}, NEAR {near:g}"
        yield Figure(what, 100 * hits(other) / len(other), unit="%", group="thresholds: share of cells", note=note)
    yield from cell_figures(found)


def validated(out: Path) -> list[Case]:
    """The cells of calibration, by declared validation rows."""
    stores = [Store(out / task / SUITE, create=False) for task in TARGETS]
    return [own for store in stores for own in cases(standing(store), told_in(store), [HELD], reading="score")]


def summary(found: Sequence[Case]) -> Iterator[Figure]:
    """How often advice was close, what it cost, what always doing the same would have, and what scores are worth."""
    group = f"advice, {len(found)} cells"
    share = Figure("within a point of the best strategy", 100 * hits(found) / len(found), unit="%", group=group)
    yield share.at_least(SHARE)
    regret = 100 * mean(own.regret for own in found)
    yield Figure("mean regret", regret, unit="points", group=group)
    for strategy in STRATEGIES:
        count, cost = always(found, strategy)
        note = f"mean regret {100 * cost:.2f} points"
        yield Figure(f"always {strategy}", 100 * count / len(found), unit="%", group=group, note=note)
    for own in agreements(found):
        if not math.isnan(own.rho):
            yield Figure(f"{own.score}, {own.strategy}", own.rho, group="Spearman's rho of score and accuracy")


def cell_figures(found: Sequence[Case]) -> Iterator[Figure]:
    """The regret of every cell, with what was advised and what was reached."""
    for own in found:
        reached = ", ".join(f"{name} {100 * value:.1f}" for name, value in own.accuracy.items())
        advised = ", ".join(f"{count} x {name}" for name, count in own.advised.items())
        note = f"advised {advised}; {reached}"
        what = f"{own.dataset}, {own.split}"
        yield Figure(what, 100 * own.regret, unit="points", group="regret of advice", note=note)


if __name__ == "__main__":
    main()
