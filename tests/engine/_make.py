"""Small runs for tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from dareps.data._base import SplitData
from dareps.data.split import make_split
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Hooks, Trainer
from dareps.engine.outcome import Outcome
from dareps.recipe.bind import bind_run
from dareps.recipe.settings import Run
from dareps.suite.parts import adapting

CPU = torch.device("cpu")
SPLIT = "digits8/fonts:scans"
DEEP = (*(name for name in adapting() if name != "linear_svm"), "fine_tuning", "lower_features")
"""Recipes that the loop trains: all that adapt, and of those that read target labels one of each kind."""
SHORT: tuple[tuple[str, Any], ...] = (
    ("encoder", {"name": "mlp", "width": 64}),
    ("normalise", "joint"),
    ("phases.*.steps", 30),
    ("engine.evaluations", 3),
    ("engine.flush", 10),
)
FLOAT64: tuple[tuple[str, Any], ...] = (("engine.precision", "float64"),)
NOISY: tuple[tuple[str, Any], ...] = (("encoder", {"name": "mlp", "width": 16, "norm": True, "dropout": 0.3}),)


def run_of(recipe: str, overrides: Sequence[tuple[str, Any]] = SHORT, seed: int = 0) -> Run:
    """A bound run on the embedded digits."""
    return bind_run(recipe, SPLIT, seed, list(overrides))


@lru_cache(maxsize=8)
def _data(seed: int) -> SplitData:
    run = run_of("source_only", seed=seed)
    return make_split(run.data, run.source, run.target, seed, run.protocol)


def data_of(run: Run) -> SplitData:
    """The split of a run on the embedded digits with the dataset's own settings."""
    return _data(run.seed)


def trainer_of(runs: Sequence[Run], stacked: bool | None = None, hooks: Hooks | None = None) -> Trainer:
    """A trainer of runs that differ in their seed."""
    return Trainer(runs, [data_of(run) for run in runs], CPU, hooks, stacked)


def outcome_of(run: Run, folder: Path) -> Outcome:
    """Carry out one run."""
    (outcome,) = execute([run], Surroundings(folder, CPU))
    return outcome


def weights_of(trainer: Trainer, copy: int = 0) -> dict[str, torch.Tensor]:
    """Parameters and buffers of one copy."""
    return trainer.population.weights(copy)


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Largest absolute difference between two sets of weights."""
    assert one.keys() == other.keys()
    return max((one[name] - other[name]).abs().max().item() for name in one)
