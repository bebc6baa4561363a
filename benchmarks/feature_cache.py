"""Feature extraction with cached features against without: milliseconds of a training step, in turns."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch

from benchmarks._measure import RESULTS, Figure, publish
from dareps.engine.building import split_of
from dareps.engine.loop import Trainer
from dareps.recipe.bind import bind_run

CASES = {
    "digit CNN, heads alone": ("attributes/fruit:solids@100", ["heads"], ""),
    "digit CNN, heads and top stage": ("attributes/fruit:solids@100", ["*"], "-1"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Time both and publish the ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feature_cache", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    figures = []
    for name, case in CASES.items():
        found = {cache: [] for cache in ("on", "off")}  # type: dict[str, list[float]]
        for _ in range(options.rounds):
            for cache, times in found.items():
                times.append(step_time(cache, options.steps, *case))
        on, off = (median(found[cache]) for cache in ("on", "off"))
        figures.append(Figure("without / with a cache", off / on, note=f"{1000 * on:.2f} ms with", group=name))
    publish("feature_cache", figures, options.results)


def step_time(cache: str, steps: int, split: str, trains: list[str], below: str) -> float:
    """Seconds of a step of the second phase, computing the features included."""
    phase = {"streams": {"target": "labelled"}, "trains": trains, "freeze_below": below, "cache": cache, "steps": steps}
    changes = [("phases", [{"streams": {"source": "labelled"}, "steps": 0}, phase]), ("data.rows_per_domain", 1200)]
    run = bind_run("fine_tuning", split, 0, changes)
    trainer = Trainer([run], [split_of(run)], torch.device("cpu"))
    plan = trainer.plans[1]
    trainer.position.phase = 1
    clock = time.perf_counter()
    trainer.enter(plan)
    pool = trainer.pool(plan)
    step = trainer.steps(plan, pool)
    for number, inputs in enumerate(trainer.inputs(plan, pool, 0, steps)):
        step(number, inputs)
    return (time.perf_counter() - clock) / steps


if __name__ == "__main__":
    main()
