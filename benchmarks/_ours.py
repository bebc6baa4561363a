"""Our loop on the same work: the shipped recipes through the trainer that every run goes through."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from benchmarks._cases import BATCH, RATE, arrays
from dareps.data._base import Fitted, LabelledPart, Part, Sealed, SplitData
from dareps.engine.loop import Hooks, Trainer
from dareps.engine.progress import Report
from dareps.recipe.bind import bind_run
from dareps.recipe.settings import Engine, Run
from dareps.types import Task

ENCODERS: dict[str, dict[str, object]] = {
    "amazon_mlp": {"name": "mlp", "width": 50, "depth": 1, "activation": "relu"},
    "digit_cnn": {"name": "digit_cnn", "width": 100, "norm": False},
}
CLASSES = {"amazon_mlp": 2, "digit_cnn": 10}
SEED = 1
"""Not 0: that seed also keeps pictures of its features."""
SOURCE, TARGET = "fonts", "scans"
"""Recipes are bound on the embedded digits; the rows, and all settings that a dataset gives, are the case's own."""


class Clock:
    """Notes every flush of the losses: the first ends the warm-up, the last follows an evaluation and is left out."""

    def __init__(self) -> None:
        self.times: list[tuple[int, float]] = []

    def __call__(self, report: Report) -> None:
        """Note the step, and when the losses so far had reached the host."""
        self.times.append((report.step, time.perf_counter()))

    @property
    def seconds_per_step(self) -> float:
        """Mean from the first flush to the last but one."""
        (first, begin), (last, end) = self.times[0], self.times[-2]
        return (end - begin) / (last - first)


def seconds_per_step(network: str, method: str, steps: int) -> float:
    """Seconds per step over at least `steps` steps, the losses' way to the host at the shipped interval included."""
    clock = Clock()
    trainer(network, method, steps, clock).train()
    return clock.seconds_per_step


def trainer(network: str, method: str, steps: int, clock: Clock) -> Trainer:
    """A trainer of one seed on the CPU: a flush of warm-up, whole flushes of at least `steps` steps, one step more."""
    flush = Engine().flush
    run = bound(network, method, flush + math.ceil(steps / flush) * flush + 1)
    return Trainer([run], [split(network)], torch.device("cpu"), Hooks(report=clock))


def bound(network: str, method: str, steps: int) -> Run:
    """The shipped recipe with the case's network, batch and rate, judged once at its end."""
    return bind_run(method, f"digits8/{SOURCE}:{TARGET}", SEED, settings(network, steps).items())


def settings(network: str, steps: int) -> dict[str, object]:
    """The case's network, batch and rate, and one evaluation at the end."""
    return {
        "encoder": ENCODERS[network],
        "phases.0.steps": steps,
        "phases.0.batch": BATCH,
        "phases.0.optimizer": {"name": "adam", "lr": RATE},
        "phases.0.schedule": "constant",
        "normalise": "joint",
        "engine.evaluations": 1,
        "engine.selection": ["last"],
        "engine.keep": "last",
    }


def split(network: str) -> SplitData:
    """All rows for training; the first few again for the one evaluation, which is not timed."""
    rows, few = arrays(network), slice(0, BATCH)
    tasks = (Task("label", "classification", CLASSES[network]),)
    source = LabelledPart(SOURCE, "source", rows.source, {"label": rows.labels})
    seen = LabelledPart(SOURCE, "source", rows.source[few], {"label": rows.labels[few]})
    target, other = Part(TARGET, "target", rows.target), Part(TARGET, "target", rows.target[few])
    unknown = {TARGET: {"label": np.zeros(BATCH, np.int64)}}
    sealed = Sealed({"validation": unknown, "test": unknown})
    fitted = Fitted({}, lambda x, _: x)
    return SplitData(tasks, (source,), (seen,), (target,), (other,), (other,), sealed, fitted, "")
