"""One class out of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from dareps.errors import DataError
from dareps.maths.calibration import Bins, calibration_error, confidence_bins, pooled_bins
from dareps.tasks._base import Scores, TaskKind, refuse
from dareps.types import Task

if TYPE_CHECKING:
    from torch import Tensor

MISSING: Final = -1
"""Stands for every missing class; any negative number may in the data."""


class Classification(TaskKind):
    """Labels (n,) from 0 to size - 1, negative where missing; the loss is cross-entropy.

    Metrics: accuracy; balanced accuracy (mean recall) and macro F1 over the classes that occur among the labels; the
    expected calibration error of the largest softmax probability (lower is better); the confusion matrix.
    """

    primary: ClassVar[str] = "accuracy"
    shown: ClassVar[str] = "accuracy"
    further: ClassVar[tuple[str, ...]] = ("balanced_accuracy", "macro_f1", "calibration_error")
    relative: ClassVar[Mapping[str, bool]] = {"accuracy": True, "balanced_accuracy": True, "macro_f1": True}
    fix: ClassVar[str] = "Number classes from 0."

    def check(self, where: str, task: Task, labels: np.ndarray) -> np.ndarray:
        """Labels (n,) as int64, missing ones as -1."""
        if labels.ndim != 1 or labels.dtype.kind not in "iuf":
            what = f"class labels of task {task.name} must be a list of numbers"
            raise DataError(where, what, labels.shape, self.fix)
        fix = f"Labels are whole numbers from 0 to {task.size - 1}, negative where missing."
        bad = ~((labels < task.size) & (labels == np.floor(labels))) | np.isinf(labels)
        refuse(where, task, labels, bad, "lies outside the classes", fix)
        return np.maximum(labels, MISSING).astype(np.int64) if labels.dtype.kind != "u" else labels.astype(np.int64)

    def known(self, labels: np.ndarray) -> np.ndarray:
        """Classes are not negative."""
        return np.asarray(labels >= 0)

    def empty(self, task: Task, n: int) -> np.ndarray:
        """-1 for each row."""
        return np.full(n, MISSING, np.int64)

    def loss(self, outputs: Tensor, labels: Tensor, *, complete: bool) -> Tensor:
        """Mean cross-entropy of logits (n, c), 0-d."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, labels) if complete else super().loss(outputs, labels, complete=False)

    def elements(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy of each row (n,)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, labels, ignore_index=MISSING, reduction="none"), (labels >= 0).to(outputs.dtype)

    def predicted(self, outputs: np.ndarray) -> np.ndarray:
        """The class with the largest logit, (n,)."""
        return np.asarray(outputs.argmax(axis=1))

    def belief(self, outputs: Tensor) -> Tensor:
        """Probabilities that sum to 1."""
        return outputs.softmax(1)

    def scores(self, labels: np.ndarray, outputs: np.ndarray) -> Scores:
        """Accuracy, balanced accuracy and macro F1 over the classes that occur, calibration, the confusion matrix."""
        from sklearn.metrics import confusion_matrix

        known, classes = self.known(labels), range(outputs.shape[1])
        if not known.any():
            return Scores(float("nan"), dict.fromkeys(self.further, float("nan")))
        confusion = confusion_matrix(labels[known], self.predicted(outputs)[known], labels=classes)
        return self._of(confusion, confidence_bins(outputs[known], labels[known]))

    def pooled(self, parts: Sequence[Scores]) -> Scores | None:
        """Metrics from the sums of the confusion matrices and bins; no calibration where parts say nothing of it."""
        found = [part for part in parts if part.confusion]
        bins = pooled_bins([part.sums for part in found]) if all(part.sums for part in found) else None
        return self._of(np.sum([part.confusion for part in found], axis=0), bins) if found else None

    def _of(self, confusion: np.ndarray, bins: Bins | None) -> Scores:
        """Metrics of counts (c, c) with at least one row."""
        counts = confusion.astype(np.float64)
        hits, true, claimed = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
        occurs = true > 0
        recall = hits[occurs] / true[occurs]
        f1 = 2 * hits[occurs] / (true + claimed)[occurs]
        further = {"balanced_accuracy": float(recall.mean()), "macro_f1": float(f1.mean())}
        further |= {} if bins is None else {"calibration_error": calibration_error(bins)}
        counted = [[int(count) for count in row] for row in counts]
        return Scores(float(hits.sum() / true.sum()), further, counted, bins or [])
