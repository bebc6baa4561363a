"""Kind and colour of drawn objects: what hard sharing is worth as the tasks get related, 5 seeds, with a plot."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._measure import RESULTS, ROOT, publish
from benchmarks._suites import csv_rows, deltas

SUITE, RULE = "attributes_mtl", "source_score"
CORRELATIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
BOTH_ENDS = (0.0, 1.0)
FEWER = "single_task,hard,soft"
SHOWN = {"hard": "tab:blue", "soft": "tab:orange"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite along the correlation of kind and colour, all recipes at both ends, and draw what comes out."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{SUITE}", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where the suites' results are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file and the plot")
    options = parser.parse_args(arguments)
    found = {value: _delta(options.out / f"correlation_{value:g}", value) for value in CORRELATIONS}
    figures = [
        figure for value, rows in found.items() for figure in deltas(rows, RULE, prefix=f"correlation {value:g}, ")
    ]
    publish(SUITE, figures, options.results)
    draw(found, options.results / f"{SUITE}.png")


def _delta(out: Path, correlation: float) -> list[dict[str, str]]:
    command = [sys.executable, "-m", "dareps", "bench", SUITE, "--out", str(out), f"data.correlation={correlation:g}"]
    command += [] if correlation in BOTH_ENDS else ["--recipes", FEWER]
    subprocess.run(command, check=False, cwd=ROOT)
    return csv_rows(out / SUITE / "delta.csv")


def draw(found: dict[float, list[dict[str, str]]], path: Path) -> None:
    """Each task's difference to its single-task baseline by correlation, in points of accuracy."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
    for panel, task in zip(panels, ("kind", "colour"), strict=True):
        for recipe, colour in SHOWN.items():
            points = [(value, *own) for value, rows in found.items() if (own := _point(rows, recipe, task))]
            at, middle, low, high = zip(*points, strict=True) if points else ((), (), (), ())
            panel.plot(at, middle, marker="o", color=colour, label=recipe)
            panel.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
        panel.axhline(0, color="black", linewidth=0.8)
        panel.set(title=task, xlabel="correlation of kind and colour", xticks=CORRELATIONS)
    panels[0].set_ylabel("points of accuracy against single_task")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _point(rows: Sequence[dict[str, str]], recipe: str, task: str) -> tuple[float, float, float] | None:
    """Difference and interval in percent."""
    for row in rows:
        key = (row["recipe"], row["task"], row["selection"], row["measure"])
        if key == (recipe, task, RULE, "difference") and row["value"] and row["low"]:
            value, low, high = (100 * float(row[name]) for name in ("value", "low", "high"))
            return value, low, high
    return None


if __name__ == "__main__":
    main()
