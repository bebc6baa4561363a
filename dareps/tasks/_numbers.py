"""Kinds whose labels are numbers (n, size), NaN where one is missing."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from dareps.errors import DataError
from dareps.tasks._base import TaskKind, refuse
from dareps.types import Task

if TYPE_CHECKING:
    from torch import Tensor


class Numbers(TaskKind):
    """What numbers and label sets have in common."""

    wrong: ClassVar[str]
    """What is the matter with a number that does not fit."""

    @abstractmethod
    def misfits(self, labels: np.ndarray) -> np.ndarray:
        """Which numbers (n, size) do not fit."""

    @abstractmethod
    def terms(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Losses (n, size) of outputs against targets, all of which are numbers."""

    def check(self, where: str, task: Task, labels: np.ndarray) -> np.ndarray:
        """Labels as float64 (n, size)."""
        numbers = _as_matrix(where, task, labels, self.fix)
        refuse(where, task, numbers, self.misfits(numbers), self.wrong, self.fix)
        return numbers

    def known(self, labels: np.ndarray) -> np.ndarray:
        """Numbers that are not NaN."""
        return np.asarray(~np.isnan(labels))

    def empty(self, task: Task, n: int) -> np.ndarray:
        """NaN for each row and output."""
        return np.full((n, task.size), np.nan)

    def elements(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (n, size)."""
        there = ~labels.isnan()
        targets = labels.where(there, labels.new_zeros(())).to(outputs.dtype)
        return self.terms(outputs, targets), there.to(outputs.dtype)


def _as_matrix(where: str, task: Task, labels: np.ndarray, fix: str) -> np.ndarray:
    """Numeric labels as float64 (n, size); a list will do for one output."""
    numbers = labels[:, None] if labels.ndim == 1 else labels
    if labels.dtype.kind not in "biuf" or numbers.ndim != 2 or numbers.shape[1] != task.size:
        what = f"labels of task {task.name} must be numbers, {task.size} a row"
        raise DataError(where, what, labels.shape if labels.dtype.kind in "biuf" else str(labels.dtype), fix)
    return numbers.astype(np.float64)
