"""What a phase means for a run: its place, the rows it reads, and its learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dareps.data._base import LabelledPart, Part, SplitData
from dareps.errors import ConfigError
from dareps.maths.domains import set_stochastic
from dareps.recipe.method import Method
from dareps.tasks import Scale, kind_of
from dareps.transfer import Train
from dareps.types import Task


@dataclass(frozen=True, slots=True)
class Plan:
    """A phase's place in the run: its number, and the steps before it."""

    number: int
    phase: Train
    offset: int

    @property
    def steps(self) -> int:
        """Steps of this phase."""
        return self.phase.steps or 0

    @property
    def end(self) -> int:
        """The step of the run at which the phase ends."""
        return self.offset + self.steps


def plans(phases: Sequence[Train]) -> list[Plan]:
    """The phases with their offsets."""
    found, offset = [], 0
    for number, phase in enumerate(phases):
        found.append(Plan(number, phase, offset))
        offset += found[-1].steps
    return found


def activate(method: Method, plan: Plan) -> None:
    """Say which alignments act in a phase, and how normalisation layers choose their statistics."""
    method.activate(plan.phase.acting(method.recipe.needs), plan.number)
    set_stochastic(method, plan.phase.stochastic_norm, f"phases.{plan.number}.stochastic_norm")


def stream_parts(phase: Train, data: SplitData) -> list[Part | LabelledPart]:
    """The rows that a phase reads, one entry per stream; labels only where it declares them, numbers standardised.

    Of a labelled stream those rows alone that have a label of a task that the phase trains, where it names some.
    """
    parts: list[Part | LabelledPart] = []
    if phase.streams.source is not None:
        parts += data.source_train if phase.streams.source == "labelled" else _bare(data.source_train)
    if phase.streams.target is not None:
        parts += data.labelled_target() if phase.streams.target == "labelled" else data.target_train
    if phase.tasks:
        wanted = tasks_of(phase, data.tasks)
        parts = [part.taken(part.having(wanted)) if isinstance(part, LabelledPart) else part for part in parts]
    return [_standardised(part, data.scales) if isinstance(part, LabelledPart) else part for part in parts]


def tasks_of(phase: Train, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks that a phase trains, of those that a run has."""
    return tuple(task for task in tasks if not phase.tasks or task.name in phase.tasks)


def _standardised(part: LabelledPart, scales: Mapping[str, Scale]) -> LabelledPart:
    labels = {task: scales[task].standardise(y) if task in scales else y for task, y in part.y.items()}
    return replace(part, y=labels)


def unlabelled_tasks(phases: Sequence[Train], data: SplitData, tasks: Sequence[Task]) -> dict[str, list[str]]:
    """Task -> domains of labelled streams that have no label of it; a task of which all have one is left out.

    Raises:
        ConfigError: No labelled stream of any phase has a label of some task.
    """
    streams = [(phase, part) for phase in phases for part in stream_parts(phase, data)]
    lacking = {}
    for task in tasks if any(isinstance(part, LabelledPart) for _, part in streams) else ():
        training = [part for phase, part in streams if task in tasks_of(phase, tasks)]
        parts = [part for part in training if isinstance(part, LabelledPart)]
        without = [part.domain for part in parts if not kind_of(task).known(part.y[task.name]).any()]
        if len(without) == len(parts):
            fix = "Label a stream that has the task, or leave the task out with `tasks: [...]`."
            raise ConfigError(f"tasks.{task.name}", "no stream of training has a label of this task", fix=fix)
        if without:
            lacking[task.name] = list(dict.fromkeys(without))
    return lacking


def _bare(parts: Sequence[LabelledPart]) -> list[Part]:
    return [Part(part.domain, part.role, part.x) for part in parts]


def target_labels(phases: Sequence[Train], data: SplitData) -> int:
    """How many target labels a run sees: the rows of the labelled target stream, and those declared for validation."""
    seen = any(phase.streams.target == "labelled" for phase in phases)
    trained = sum(len(part.x) for part in data.labelled_target()) if seen else 0
    return trained + sum(len(part.x) for part in data.labelled_validation)


def rates(phase: Train, steps: Tensor) -> Tensor:
    """The learning rate at each of the given steps of the phase, same shape, float32."""
    assert phase.optimizer is not None
    assert phase.schedule is not None
    progress = steps.to(torch.float32) / max(phase.steps or 0, 1)
    return phase.optimizer.lr * phase.schedule(progress)
