"""From a bound run to its rows and its method."""

from __future__ import annotations

import torch

from dareps.data._base import SplitData
from dareps.data._few import declare_labels
from dareps.data.split import make_split
from dareps.engine.phases import tasks_of
from dareps.engine.pretrained import start_of
from dareps.errors import ConfigError
from dareps.maths.noise import Noise
from dareps.recipe.method import Method
from dareps.recipe.settings import Run
from dareps.transfer import Train
from dareps.types import Task


def build_method(run: Run, data: SplitData) -> Method:
    """The method of a bound run, initialised by its seed, or from the weights that the recipe names."""
    start = start_of(run.method)
    shape = tuple(data.source_train[0].x.shape[1:])
    _check_augmented(run, shape)
    forms, sides = type(run.data).forms, (tuple(run.source), tuple(run.target))
    return Method(run.method, shape, data.tasks, *sides, run.seed, forms, start, run.data.frame())


def _check_augmented(run: Run, shape: tuple[int, ...]) -> None:
    """Refuse augmentations after which encoders would see images of another size in training than otherwise.

    Raises:
        ConfigError: Shows both.
    """
    if len(shape) != 3 or not run.data.augment:
        return
    zero = torch.zeros((), dtype=torch.int64)
    x = torch.zeros(2, *shape)
    for number, change in enumerate(run.data.augment):
        x = change(x, Noise(zero, zero), f"augment.{number}")
    frame, rows = run.data.frame(), tuple(x.shape[1:])
    kept = frame.crop or 0
    if min(rows[1:]) < kept or frame.shape(rows) != frame.shape(shape):
        what = f"encoders would see {rows} in training and {frame.shape(shape)} otherwise"
        raise ConfigError("data.augment", what, frame.crop, "Set data.crop to the size that augmentations crop to.")


def split_of(run: Run) -> SplitData:
    """The rows that a run may see, of all the dataset's tasks, with the target labels that the split declares.

    Labels are counted by class of a task that the last phase trains.
    """
    data = make_split(run.data, run.source, run.target, run.seed, run.protocol)
    if run.labelled is None:
        return data
    return declare_labels(data, run.seed, run.labelled, run.held, counted_by(run), f"split {run.data.name}")


def counted_by(run: Run) -> tuple[Task, ...]:
    """The tasks by whose classes declared labels are counted: those that the last phase trains."""
    last = [phase for phase in run.method.phases if isinstance(phase, Train)][-1:]
    return tasks_of(last[0], run.tasks) if last else run.tasks
