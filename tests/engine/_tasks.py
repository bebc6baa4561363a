"""A small dataset of three tasks, some of whose labels are missing, and runs on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from torch import Tensor

from dareps.data._base import Dataset, DomainRows, Fitted, SplitData
from dareps.data.split import make_split
from dareps.engine.capture import Inputs
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Trainer
from dareps.engine.outcome import Outcome
from dareps.engine.rows import Pool
from dareps.plugin import _registry, plugins
from dareps.recipe.defaults import resolve
from dareps.recipe.settings import Recipe, Run
from dareps.types import Task
from tests.engine._make import CPU

KIND, AGE, TAGS = Task("kind", "classification", 3), Task("age", "regression", 1), Task("tags", "multilabel", 2)
ROWS, WIDTH = 120, 5


def rows_of(domain: str, lacking: Mapping[str, float]) -> DomainRows:
    """Rows whose labels are linear in them: a class, an age in the thousands, two tags."""
    draws = np.random.Generator(np.random.Philox(key=len(domain) + ord(domain[0])))
    x = draws.normal(size=(ROWS, WIDTH))
    weights = np.random.Generator(np.random.Philox(key=7)).normal(size=(WIDTH, 6))
    z = x @ weights
    y = {"kind": z[:, :3].argmax(axis=1), "age": 2000 + 40 * z[:, 3:4], "tags": (z[:, 4:] > 0).astype(float)}
    for task, share in lacking.items():
        gone = draws.random(y[task].shape) < share
        y[task] = np.where(gone, -1 if task == "kind" else np.nan, y[task])
    return DomainRows(x.astype(np.float32), y)


class Tasks(Dataset, abstract=True):
    """Three tasks from one input."""

    name: ClassVar[str] = "tasks_toy"
    domains = ("a", "b", "c")
    tasks = (AGE, KIND, TAGS)
    lacking: ClassVar[Mapping[str, Mapping[str, float]]] = {}

    def rows(self, domain: str) -> DomainRows:
        return rows_of(domain, self.lacking.get(domain, {}))

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        return Fitted({}, lambda x, domain: x.astype(np.float32))

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        return self.fit({}, {})

    def checksum(self, domains: tuple[str, ...]) -> str:
        return "+".join(domains)


def dataset(
    lacking: Mapping[str, Mapping[str, float]] | None = None, tasks: tuple[Task, ...] = (AGE, KIND, TAGS)
) -> Dataset:
    """The dataset with a share of each domain's labels gone."""

    class Given(Tasks, abstract=True):
        pass

    Given.lacking, Given.tasks = lacking or {}, tasks
    return Given()


def register(monkeypatch: pytest.MonkeyPatch, kind: type[Dataset]) -> None:
    """Let a saved model find the dataset by its name, for one test."""
    plugins(Dataset)
    monkeypatch.setitem(_registry["data"], kind.name, kind)


def run_on(data: Dataset, method: Mapping[str, Any] | None = None, **changes: Any) -> Run:
    """A short run from `a` to `b`."""
    steps = {"steps": 30, "batch": 16, "optimizer": "adam", "schedule": "constant"}
    settings = {"encoder": {"name": "mlp", "width": 16}, "normalise": "joint", **(method or {})}
    settings["phases"] = [{**steps, **phase} for phase in settings.get("phases", [{}])]
    recipe = resolve(Recipe.model_validate(settings), data)
    engine = {"evaluations": 2, "flush": 10, **changes.pop("engine", {})}
    fixed = {"recipe": "toy", "method": recipe, "data": data, "source": ("a",), "target": ("b",), "engine": engine}
    return Run.model_validate({**fixed, **changes})


def outcomes_of(runs: Sequence[Run], folder: Any) -> list[Outcome]:
    """Carry out runs that differ in their seed; a mistake is raised."""
    return execute(runs, Surroundings(folder, CPU, strict=True))


def split_of(run: Run) -> SplitData:
    """The rows of a run."""
    return make_split(run.data, run.source, run.target, run.seed, run.protocol)


def first_batch(run: Run) -> tuple[Trainer, Pool, tuple[Tensor, dict[str, Tensor]], Inputs]:
    """A trainer at its first step: its pool, the rows and labels of the batch, and the step's inputs."""
    trainer = Trainer([run], [split_of(run)], CPU)
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    inputs = next(trainer.inputs(plan, pool, 0, 1))
    return trainer, pool, pool.gather(inputs.index), inputs
