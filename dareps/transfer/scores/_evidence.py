"""The evidence of linear regression, at its highest over the two variances."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

_STEP = 0.5
"""Spacing of the first search in log t, over about 4 of which a direction comes to count."""
_MARGIN = 1e10
"""How far that search goes beyond where the first direction begins to count, and the last one counts in full."""
_BLOCK = 64
"""Columns at a time, so that the one-hot labels of many classes need not all be there at once."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The highest evidence of targets y (n,) under y = F w + e, w ~ N(0, signal), e ~ N(0, noise).

    Attributes:
        value: log N(y; 0, noise I + signal F F') / n; inf where y is a linear function of features of rank below n.
        signal: Variance of a weight, 1 / alpha.
        noise: Variance of an error, 1 / beta.
    """

    value: float
    signal: float
    noise: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The evidence of one target as a function of t = signal / noise, with the best noise for each t.

    Attributes:
        n: Rows.
        squares: Squared singular values (r,) of the features.
        explained: Squared coefficients (r,) of y along the left singular vectors.
        residual: Squared norm of the rest of y; 0 where it is rounding.
    """

    n: int
    squares: np.ndarray
    explained: np.ndarray
    residual: float

    def noise(self, t: float) -> float:
        """(residual + sum_i explained_i / (1 + t squares_i)) / n, at which the evidence is highest for this t."""
        return float(self.residual + (self.explained / (1 + t * self.squares)).sum()) / self.n

    def value(self, t: float) -> float:
        """-(log(2 pi noise) + 1 + sum_i log(1 + t squares_i) / n) / 2."""
        volume = float(np.log1p(t * self.squares).sum()) / self.n
        return -(math.log(2 * math.pi * self.noise(t)) + 1 + volume) / 2

    def highest(self, near: float) -> Evidence:
        """The highest evidence, of t = 0 and the t whose logarithm is within a step of `near`."""
        from scipy.optimize import minimize_scalar

        if self.residual == 0 and len(self.squares) < self.n:
            return Evidence(math.inf, float((self.explained / self.squares).sum()) / self.n, 0.0)
        bounds = near - _STEP, near + _STEP
        found = minimize_scalar(
            lambda u: -self.value(math.exp(u)), bounds=bounds, method="bounded", options={"xatol": 1e-8}
        )
        t = max((0.0, math.exp(found.x)), key=self.value)
        return Evidence(self.value(t), t * self.noise(t), self.noise(t))


def evidences(left: np.ndarray, squares: np.ndarray, targets: Iterable[np.ndarray]) -> Iterator[Evidence]:
    """The highest evidence of each column of targets, in blocks (n, k), on features of this spectrum."""
    n = len(left)
    for block in targets:
        coefficients = left.T @ block
        residual = np.square(block - left @ coefficients).sum(axis=0)
        # What rounding leaves of a column that the features explain; as many directions as rows leave nothing.
        rounding = np.square((n + 100) * np.finfo(float).eps) * np.square(block).sum(axis=0)
        residual[(residual <= rounding) | (len(squares) == n)] = 0
        explained = np.square(coefficients).T
        for each, rest, near in zip(explained, residual, _peaks(squares, explained, residual, n), strict=True):
            yield Profile(n, squares, each, float(rest)).highest(float(near))


def one_hot_blocks(places: np.ndarray, classes: int) -> Iterator[np.ndarray]:
    """Columns of 0 and 1, in blocks (n, k): each class against the rest."""
    for start in range(0, classes, _BLOCK):
        yield np.equal.outer(places, np.arange(start, min(start + _BLOCK, classes))).astype(float)


def _peaks(squares: np.ndarray, explained: np.ndarray, residual: np.ndarray, n: int) -> np.ndarray:
    """log t (k,) at which a grid finds the evidence of k targets highest; it can have several maxima in t."""
    first, last = -math.log(_MARGIN * squares.max()), math.log(_MARGIN / squares.min())
    grid = np.arange(first, last + _STEP, _STEP)
    growth = np.exp(grid)[:, None] * squares
    noise = residual[:, None] + explained @ (1 / (1 + growth)).T
    return np.asarray(grid[(n * np.log(noise) + np.log1p(growth).sum(axis=1)).argmin(axis=1)])
