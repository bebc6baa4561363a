"""Numbers."""

from __future__ import annotations

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
        found = []
        for y, p in zip(labels.T, outputs.T, strict=True):
            known = ~np.isnan(y)
            found.append(_figures(y[known], p[known]))
        r2, *further = (mean_known(list(column)) for column in zip(*found, strict=True))
        return Scores(r2, dict(zip(self.further, further, strict=True)))


def _figures(y: np.ndarray, p: np.ndarray) -> tuple[float, float, float, float]:
    """R^2, root mean squared error, mean absolute error and explained variance of one output (n,)."""
    if len(y) == 0:
        return (float("nan"),) * 4
    error = y - p
    square, spread = float(np.square(error).mean()), float(y.var())
    enough = len(y) > 1
    r2 = _share(square, spread) if enough else float("nan")
    explained = _share(float(error.var()), spread) if enough else float("nan")
    return r2, square**0.5, float(np.abs(error).mean()), explained


def _share(left: float, whole: float) -> float:
    """1 - left / whole; where there is nothing to explain, whether nothing is left."""
    if whole == 0:
        return float(left == 0)
    return 1 - left / whole
