"""Numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from dareps.tasks._base import Scores, mean_known
from dareps.tasks._numbers import Numbers

if TYPE_CHECKING:
    from torch import Tensor


class Regression(Numbers):
    """Labels (n, size), NaN where missing; the loss is the squared error of standardised targets.

    A head learns (label - mean) / spread of each output (`Scale`), so that its loss is 1 for the constant guess and
    does not depend on units; predictions and metrics are in the units of the labels.

    Metrics, each the mean over outputs: R^2 = 1 - sum (y - p)^2 / sum (y - mean y)^2, the explained variance, which
    forgives a constant offset, the root mean squared error and the mean absolute error. R^2 and explained variance
    need two labels of an output; of equal labels they are 1 where the prediction is exact and 0 else.
    """

    primary: ClassVar[str] = "r2"
    shown: ClassVar[str] = "R\u00b2"
    share: ClassVar[bool] = False
    further: ClassVar[tuple[str, ...]] = ("rmse", "mae", "explained_variance")
    relative: ClassVar[Mapping[str, bool]] = {"rmse": False, "mae": False}
    fix: ClassVar[str] = "Give finite numbers, or NaN where one is missing."

    wrong: ClassVar[str] = "is infinite"

    def misfits(self, labels: np.ndarray) -> np.ndarray:
        """Infinite ones."""
        return np.asarray(np.isinf(labels))

    def terms(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared differences."""
        return (outputs - targets).square()

    def predicted(self, outputs: np.ndarray) -> np.ndarray:
        """The outputs."""
        return outputs

    def belief(self, outputs: Tensor) -> Tensor:
        """The standardised numbers as they are."""
        return outputs

    def scores(self, labels: np.ndarray, outputs: np.ndarray) -> Scores:
        """R^2; root mean squared error, mean absolute error and explained variance."""
        sums = []
        for y, p in zip(labels.T, outputs.T, strict=True):
            known = ~np.isnan(y)
            sums.append(_sums(y[known], p[known]))
        return self._of(sums)

    def pooled(self, parts: Sequence[Scores]) -> Scores | None:
        """Metrics of all rows together, exact: R^2 then is against the mean label of all rows.

        This is the share of explained variance of the multi-task literature on the School data, which it gives in
        percent (Argyriou, Evgeniou & Pontil, Machine Learning 73, 2008), and not the mean of the parts' R^2.
        """
        found = [part.sums for part in parts if part.sums]
        return self._of([_together(np.array(own)) for own in zip(*found, strict=True)]) if found else None

    def _of(self, sums: list[list[float]]) -> Scores:
        found = [_figures(*own) for own in sums]
        r2, *further = (mean_known(list(column)) for column in zip(*found, strict=True))
        return Scores(r2, dict(zip(self.further, further, strict=True)), sums=sums)


def _sums(y: np.ndarray, p: np.ndarray) -> list[float]:
    """Of one output (n,): n, mean and variance of the labels, mean and variance of the errors, MSE and MAE."""
    if len(y) == 0:
        return [0.0] * 7
    error = y - p
    moments = (y.mean(), y.var(), error.mean(), error.var(), np.square(error).mean(), np.abs(error).mean())
    return [float(len(y)), *map(float, moments)]


def _together(parts: np.ndarray) -> list[float]:
    """The same of all rows, from those of disjoint sets of them (sets, 7)."""
    n, total = parts[:, 0], parts[:, 0].sum()
    if total == 0:
        return [0.0] * 7

    def mean(column: np.ndarray) -> float:
        return float((n * column).sum() / total)

    means = [mean(parts[:, 1]), mean(parts[:, 3])]
    spread, left = (
        mean(parts[:, place + 1] + np.square(parts[:, place] - middle))
        for place, middle in zip((1, 3), means, strict=True)
    )
    return [float(total), means[0], spread, means[1], left, mean(parts[:, 5]), mean(parts[:, 6])]


def _figures(
    n: float, _mean: float, spread: float, _offset: float, left: float, square: float, absolute: float
) -> tuple[float, float, float, float]:
    """R^2, root mean squared error, mean absolute error and explained variance of one output."""
    if n == 0:
        return (float("nan"),) * 4
    r2, explained = (_share(own, spread) if n > 1 else float("nan") for own in (square, left))
    return r2, square**0.5, absolute, explained


def _share(left: float, whole: float) -> float:
    """1 - left / whole; where there is nothing to explain, whether nothing is left."""
    if whole == 0:
        return float(left == 0)
    return 1 - left / whole
