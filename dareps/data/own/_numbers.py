"""What is made of a column of numbers before it is shifted and scaled: logarithms, normal scores."""

from __future__ import annotations

from typing import Final, get_args

import numpy as np
from scipy.special import ndtri

from dareps.data.own.description import Transform
from dareps.errors import DataError

TRANSFORMS: Final[tuple[Transform, ...]] = get_args(Transform)
"""A transform's place here is its code in saved state."""
SCALED: Final = ("standard", "log")
"""Transforms behind which a column is shifted and scaled."""
POINTS: Final = 2000
"""Ranks are taken among at most so many values."""


def points_of(values: np.ndarray) -> np.ndarray:
    """Values (q,), sorted, among which ranks are taken: all of them (n,), or 2000 evenly spaced in rank."""
    ordered = np.sort(values)
    if len(ordered) <= POINTS:
        return ordered
    return ordered[((np.arange(POINTS) + 0.5) * len(ordered) / POINTS).astype(np.int64)]


def normal_scores(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Standard normal quantiles of F(x) = (#(points < x) + #(points <= x)) / 2q, held within 1/2q and 1 - 1/2q.

    The i-th of n different values has the score of (i - 1/2) / n; equal values have one score; values beyond all points
    have that of the outermost one.
    """
    if len(points) == 0:
        return np.zeros(len(values))
    twice = 2 * len(points)
    below = np.searchsorted(points, values, "left") + np.searchsorted(points, values, "right")
    return np.asarray(ndtri(np.clip(below, 1, twice - 1) / twice))


def logarithms(where: str, values: np.ndarray) -> np.ndarray:
    """log(1 + x).

    Raises:
        DataError: A number is negative.
    """
    if len(values) and values.min() < 0:
        fix = "Use transform: rank, which takes all numbers."
        raise DataError(where, "the transform log needs numbers from 0 on", float(values.min()), fix)
    return np.asarray(np.log1p(values))
