"""Training on series with either encoder: stacked as alone, stopped as not, in half precision, and used afterwards."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dareps
from dareps.data._base import SplitData
from dareps.data.sensors import Sensors
from dareps.data.split import make_split
from dareps.engine import checkpoint
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped, Trainer
from dareps.recipe.bind import bind_run
from dareps.recipe.settings import Run
from tests.engine._make import CPU, FLOAT64, distance, outcome_of, weights_of

ENCODERS = {
    "conv1d": {"name": "conv1d", "channels": [4, 6], "kernels": [5], "width": 8, "dropout": 0.2},
    "transformer": {"name": "series_transformer", "embedding": 8, "heads": 2, "hidden": 8, "width": 8, "dropout": 0.2},
}
SMALL: tuple[tuple[str, Any], ...] = (
    ("data.rows_per_domain", 60),
    ("data.test_rows", 30),
    ("data.augment", ["jitter", "scaling", "time_warp"]),
    ("phases.*.steps", 12),
    ("phases.*.batch", 12),
    ("engine.evaluations", 2),
)
RECIPES = ("dann", "adabn", "dsn")


def run_of(encoder: str, *more: tuple[str, Any], recipe: str = "dann", seed: int = 0) -> Run:
    return bind_run(recipe, "sensors/phone:watch", seed, [*SMALL, ("encoder", ENCODERS[encoder]), *more])


@lru_cache(maxsize=4)
def _data(seed: int) -> SplitData:
    return make_split(Sensors(rows_per_domain=60, test_rows=30), ("phone",), ("watch",), seed)


def trainer_of(runs: list[Run]) -> Trainer:
    trainer = Trainer(runs, [_data(run.seed) for run in runs], CPU, None, None)
    trainer.train()
    return trainer


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_stacked_seeds_train_as_if_alone(recipe: str, encoder: str) -> None:
    runs = [run_of(encoder, *FLOAT64, recipe=recipe, seed=seed) for seed in (0, 3)]
    together = trainer_of(runs)
    for copy, run in enumerate(runs):
        assert distance(weights_of(together, copy), weights_of(trainer_of([run]))) < 1e-9


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_stopped_run_continues_exactly(encoder: str, tmp_path: Path) -> None:
    run = run_of(encoder, ("engine.checkpoint_seconds", 0.0))
    whole, calls = outcome_of(run, tmp_path / "whole"), iter(range(1, 100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= 2))
    parts = outcome_of(run, tmp_path / "parts")
    assert whole.status == parts.status == "ok"
    assert whole.curves == parts.curves
    files = [tmp_path / name / own.folder / "model.safetensors" for name, own in (("whole", whole), ("parts", parts))]
    (ours, _), (theirs, _) = (checkpoint.load(file) for file in files)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_half_precision_and_adapters_train(encoder: str) -> None:
    narrow = trainer_of([run_of(encoder, ("engine.precision", "bf16"), ("adapters", {"rank": 2}))])
    weights = weights_of(narrow)
    assert any(".adapter." in name for name in weights)
    assert all(bool(value.isfinite().all()) for value in weights.values())


def test_a_saved_model_predicts_series(tmp_path: Path) -> None:
    outcome = outcome_of(run_of("conv1d", recipe="source_only"), tmp_path)
    model = dareps.load(tmp_path / outcome.folder)
    found = model.predict(Sensors(rows_per_domain=60, test_rows=30).rows("watch").x)
    labels = found["activity"] if isinstance(found, dict) else found
    assert len(np.asarray(labels)) == 60
