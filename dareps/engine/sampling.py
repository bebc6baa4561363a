"""Steps that train some of the tasks: which, by what function, and what of them goes into the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dareps.data._base import LabelledPart, Part
from dareps.engine.capture import Inputs, StepFunction
from dareps.engine.phases import Plan, tasks_of
from dareps.errors import ConfigError
from dareps.sampling import Moment
from dareps.tasks import kind_of
from dareps.types import Task

Active = tuple[str, ...] | None
"""Names of the tasks that a step trains; None for all."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tasks a phase's steps train.

    Attributes:
        plan: The phase.
        seeds: Seed of each copy.
        rows: Task -> labelled rows of it, per copy.
    """

    plan: Plan
    seeds: tuple[int, ...]
    rows: tuple[Mapping[str, int], ...]

    def at(self, step: int) -> Active:
        """The tasks of a step of the phase.

        Raises:
            ConfigError: Stacked seeds choose different ones.
        """
        sampler, named = self.plan.phase.sampling, self.plan.phase.tasks
        if sampler is None or not sampler.alternates or len(self.rows[0]) < 2:
            return named or None
        progress = step / max(self.plan.steps, 1)
        moments = [Moment(seed, self.plan.number, step, progress) for seed in self.seeds]
        found = {sampler.choose(rows, at) for rows, at in zip(self.rows, moments, strict=True)}
        if len(found) > 1:
            what = f"the seeds of a stack train different tasks in a step, as {type(sampler).name} draws them"
            raise ConfigError("engine.stack", what, fix="Train with engine.stack=false, or sample round_robin.")
        return found.pop()


def choice_of(
    plan: Plan, seeds: Sequence[int], parts: Sequence[Sequence[Part | LabelledPart]], tasks: Sequence[Task]
) -> Choice:
    """The choice for a phase that reads these rows, a list of streams per seed."""
    counted = [
        {task.name: sum(_labelled(task, part) for part in own if isinstance(part, LabelledPart)) for task in tasks}
        for own in parts
    ]
    shared = [task.name for task in tasks_of(plan.phase, tasks) if all(rows[task.name] for rows in counted)]
    return Choice(plan, tuple(seeds), tuple({name: rows[name] for name in shared} for rows in counted))


def _labelled(task: Task, part: LabelledPart) -> int:
    """Rows with some label of the task."""
    known = kind_of(task).known(part.y[task.name])
    return int(known.reshape(len(known), -1).any(axis=1).sum())


class Steps:
    """A phase's steps: one function for each set of tasks that is trained together, and another that watches them.

    Args:
        make: Gives the step function of a set of tasks, one that logs their conflict or not.
        choice: Says which set a step trains.
        every: Steps from one that logs conflict to the next; 0 for never.
    """

    def __init__(self, make: Callable[[Active, bool], StepFunction], choice: Choice, every: int = 0) -> None:
        self.make, self.choice, self.every = make, choice, every
        self.known: dict[tuple[Active, bool], StepFunction] = {}

    def __call__(self, step: int, inputs: Inputs) -> dict[str, Tensor]:
        """Take a step of the phase; returns its logged parts."""
        key = self.choice.at(step), self.every > 0 and step % self.every == 0
        if key not in self.known:
            self.known[key] = self.make(*key)
        return self.known[key](inputs)


@dataclass(frozen=True, slots=True)
class Logged:
    """The logged parts of consecutive steps on the host.

    Attributes:
        names: All parts that some step has.
        values: (steps, parts, S); 0 where a step lacks a part.
        there: (steps, parts), whether a step has a part.
    """

    names: list[str]
    values: np.ndarray
    there: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Tensor]]) -> Logged:
        """Bring the parts of some steps to the host in one copy."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        there = np.array([[name in row for name in names] for row in rows])
        flat = torch.stack([row[name] for row in rows for name in names if name in row]).double().cpu().numpy()
        values = np.zeros((*there.shape, flat[0].size))
        values[there] = flat.reshape(len(flat), -1)
        return cls(names, values, there)

    def means(self, copy: int) -> dict[str, float]:
        """The mean of each part over the steps that have it, for one copy."""
        own = self.values[:, :, copy]
        means = own.mean(axis=0) if self.there.all() else own.sum(axis=0) / self.there.sum(axis=0)
        return dict(zip(self.names, means.tolist(), strict=True))
