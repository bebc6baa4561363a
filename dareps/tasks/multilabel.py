"""Any number of labels at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from dareps.tasks._base import Scores, mean_known
from dareps.tasks._numbers import Numbers

if TYPE_CHECKING:
    from torch import Tensor


class Multilabel(Numbers):
    """Labels (n, size) of 0 and 1, NaN where missing; the loss is binary cross-entropy on each output.

    A label is predicted where its logit is above 0. Metrics: mean average precision and macro F1, both over the labels
    that are true somewhere (of others neither is defined); exact match, the share of rows with every label right, over
    the rows that have all.
    """

    primary: ClassVar[str] = "mean_average_precision"
    shown: ClassVar[str] = "mean average precision"
    further: ClassVar[tuple[str, ...]] = ("macro_f1", "exact_match")
    relative: ClassVar[Mapping[str, bool]] = {"mean_average_precision": True, "macro_f1": True, "exact_match": True}
    fix: ClassVar[str] = "Labels are 0 or 1, NaN where missing."

    wrong: ClassVar[str] = "is neither 0 nor 1"

    def misfits(self, labels: np.ndarray) -> np.ndarray:
        """Numbers that are neither 0, 1 nor missing."""
        return np.asarray(~(np.isnan(labels) | (labels == 0) | (labels == 1)))

    def terms(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy of logits."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(outputs, targets, reduction="none")

    def predicted(self, outputs: np.ndarray) -> np.ndarray:
        """1 where the logit is above 0, (n, size) int64."""
        return (outputs > 0).astype(np.int64)

    def belief(self, outputs: Tensor) -> Tensor:
        """The probability of each label."""
        return outputs.sigmoid()

    def scores(self, labels: np.ndarray, outputs: np.ndarray) -> Scores:
        """Mean average precision; macro F1 and exact match."""
        known, right = self.known(labels), self.predicted(outputs) == labels
        whole = known.all(axis=1)
        exact = float(right[whole].all(axis=1).mean()) if whole.any() else float("nan")
        columns = [(y[own], z[own]) for y, z, own in zip(labels.T, outputs.T, known.T, strict=True) if (y == 1).any()]
        precision = mean_known([_average_precision(y, z) for y, z in columns])
        return Scores(precision, {"macro_f1": mean_known([_f1(y, z) for y, z in columns]), "exact_match": exact})


def _average_precision(y: np.ndarray, scores: np.ndarray) -> float:
    """sum_k (R_k - R_(k-1)) P_k over falling thresholds, of labels with a 1; NaN where a score is no number."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(y, scores)) if np.isfinite(scores).all() else float("nan")


def _f1(y: np.ndarray, scores: np.ndarray) -> float:
    claimed = scores > 0
    return float(2 * (claimed * y).sum() / (claimed.sum() + y.sum()))
