"""What every kind of task answers: which labels fit, which are missing, the loss, the predictions, the metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from dareps.errors import DataError
from dareps.types import Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of outputs against labels; NaN where too few labels are there to say.

    Attributes:
        primary: The kind's main metric, higher is better.
        metrics: Further ones by name.
        confusion: Counts, row = true class, column = predicted class; empty for other kinds than classification.
        sums: What figures of all rows together are made of: of numbers a list per output, of classes one per bin of
            confidence; empty for label sets.
    """

    primary: float
    metrics: dict[str, float]
    confusion: list[list[int]] = field(default_factory=list)
    sums: list[list[float]] = field(default_factory=list)


class TaskKind(ABC):
    """The rules of one kind of task; stateless.

    Outputs of a head are (n, size). Labels are as `check` returns them, and some may be missing: a loss is the mean
    over those that are there, and a metric leaves out the rest. Nothing is ever filled in.
    """

    primary: ClassVar[str]
    """Name of the main metric; higher is better."""
    shown: ClassVar[str]
    """What tables call the main metric, given there times 100."""
    share: ClassVar[bool] = True
    """Whether the main metric lies between 0 and 1."""
    further: ClassVar[tuple[str, ...]]
    """Names of the other metrics."""
    relative: ClassVar[Mapping[str, bool]]
    """Metrics that are never negative, so that a relative change means something: name -> whether higher is better."""
    fix: ClassVar[str]
    """How to write labels of this kind."""

    @abstractmethod
    def check(self, where: str, task: Task, labels: np.ndarray) -> np.ndarray:
        """Labels as the rest of the package has them; raises `DataError` that names task and row."""

    @abstractmethod
    def known(self, labels: np.ndarray) -> np.ndarray:
        """Which labels are there: True or False, of the shape of `labels`."""

    @abstractmethod
    def empty(self, task: Task, n: int) -> np.ndarray:
        """Labels of n rows, all missing."""

    @abstractmethod
    def elements(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Losses of all labels, and 1 for each that is there and 0 else; a missing one adds no gradient."""

    @abstractmethod
    def predicted(self, outputs: np.ndarray) -> np.ndarray:
        """Predictions of outputs (n, size): classes (n,), values (n, size), or 0 and 1 (n, size)."""

    @abstractmethod
    def belief(self, outputs: Tensor) -> Tensor:
        """What outputs (n, size) say to other tasks, of the same shape: probabilities, or the numbers themselves."""

    @abstractmethod
    def scores(self, labels: np.ndarray, outputs: np.ndarray) -> Scores:
        """Metrics of outputs (n, size) against labels; both in the units of the labels."""

    def pooled(self, parts: Sequence[Scores]) -> Scores | None:
        """Metrics of all rows together from those of disjoint sets of rows; None where these do not tell."""
        return None

    def loss(self, outputs: Tensor, labels: Tensor, *, complete: bool) -> Tensor:
        """The mean loss over the labels that are there, 0-d; 0 with a gradient of 0 where none is.

        Args:
            outputs: (n, size).
            labels: As `check` returns them, regression targets standardised.
            complete: No label is missing, which saves looking.
        """
        values, there = self.elements(outputs, labels)
        return values.mean() if complete else (values * there).sum() / there.sum().clamp(min=1)


def refuse(where: str, task: Task, labels: np.ndarray, bad: np.ndarray, what: str, fix: str) -> None:
    """Raise `DataError` with the first row whose label is `bad` (n,) or (n, size)."""
    rows = bad.reshape(len(bad), -1).any(axis=1)
    if rows.any():
        row = int(rows.argmax())
        value = labels[row][bad[row]][0] if labels.ndim > 1 else labels[row]
        raise DataError(f"{where} row {row}", f"a label of task {task.name} {what}", value.item(), fix)


def mean_known(figures: list[float]) -> float:
    """Mean of the figures that are there; NaN without any."""
    known = [figure for figure in figures if not np.isnan(figure)]
    return float(np.mean(known)) if known else float("nan")
