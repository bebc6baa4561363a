"""Tables of many rows: peak memory and time of `dareps adapt` and `dareps predict` on a file of ten million.

The source is a table of 20,000 rows with labels; the target has 5 columns and a label share that is shifted. Each
command is a process of its own, whose largest resident size is what the system tells of it and of its workers.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks._measure import RESULTS, ROOT, Figure, publish

SOURCE = 20_000
PIECE = 500_000
GIBIBYTE = 2**30
MOST = 2.0
"""GiB that no process should need."""
CHILD = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(json.dumps([code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]), file=sys.stderr)
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the tables, run both commands and publish what they took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_table", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--minutes", type=float, default=2, help="budget of training")
    parser.add_argument("--folder", type=Path, help="where tables and results lie meanwhile")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        publish("large_table", measured(Path(folder), options.rows, options.minutes), options.results)


def measured(folder: Path, rows: int, minutes: float) -> list[Figure]:
    """Peak memory and time of each command, and whether every row was answered."""
    small, large, out = folder / "small.csv", folder / "large.csv", folder / "out"
    write_table(small, SOURCE, 0, labels=True)
    write_table(large, rows, 1, labels=False)
    size = f"{rows:,} rows, {large.stat().st_size / 1e6:.0f} MB"
    recipes = ("--recipes", "source_only,deep_coral", "--seeds", 1)
    words = ("--source", small, "--target", large, "--budget", minutes, "--out", out, *recipes)
    figures, said = told("adapt", words, folder, size)
    model = re.search(r"^Model: (.*)$", said, re.MULTILINE)
    assert model is not None, said
    answered, again = out / "predictions.csv", folder / "again.csv"
    figures += told("predict", (model[1], large, "--out", again), folder, size)[0]
    same = share_alike(answered, again, rows)
    return [*figures, Figure("rows with the same answer of both", same, group=size).at_least(1.0)]


def told(command: str, words: Sequence[object], folder: Path, size: str) -> tuple[list[Figure], str]:
    """The figures of a command, and what it said."""
    line = [sys.executable, "-c", CHILD, sys.executable, "-m", "dareps", command, *map(str, words)]
    own = {"DAREPS_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT), "WANDB_MODE": "disabled"}
    clock = time.perf_counter()
    done = subprocess.run(line, env=os.environ | own, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - clock
    code, kilobytes = map(int, re.findall(r"\[(\d+), (\d+)\]", done.stderr)[-1])
    assert code == 0, done.stderr
    peak = Figure(f"peak memory of {command}", kilobytes * 1024 / GIBIBYTE, unit="GiB", group=size).at_most(MOST)
    return [peak, Figure(f"time of {command}", seconds, unit="s", group=size)], done.stdout


def write_table(path: Path, rows: int, seed: int, *, labels: bool) -> None:
    """Five columns, one of them of categories and one with gaps; the target's means are shifted."""
    draw, shift = np.random.default_rng(seed), 0.0 if labels else 0.8
    with path.open("wb") as file:
        for start in range(0, rows, PIECE):
            n = min(PIECE, rows - start)
            x = draw.normal(shift, 1, (n, 4)).round(6)
            city = draw.integers(0, 12, n)
            columns = {f"x{place}": x[:, place] for place in range(4)}
            frame = pl.DataFrame(columns | {"city": city}).with_columns(
                pl.concat_str(pl.lit("city "), pl.col("city")).alias("city"),
                pl.when(pl.Series(draw.random(n) < 0.02)).then(None).otherwise(pl.col("x3")).alias("x3"),
            )
            if labels:
                yes = x[:, 0] + x[:, 1] * x[:, 2] + 0.3 * (city % 3) > 0.3
                frame = frame.with_columns(pl.Series("bought", np.where(yes, "yes", "no")))
            frame.write_csv(file, include_header=start == 0)


def share_alike(first: Path, second: Path, rows: int) -> float:
    """The share of rows with one answer in both files, whose lines are in one order."""
    same = 0
    with first.open() as own, second.open() as other:
        next(own), next(other)
        for one, two in zip(own, other, strict=True):
            same += one.split(",", 1)[1] == two.split(",", 1)[1]
    return same / rows


if __name__ == "__main__":
    main()
