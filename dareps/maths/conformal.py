"""Sets of classes and intervals that hold the truth with a promised probability: split conformal prediction, in numpy.

With calibration rows of weights w_i = p_target(x_i) / p_source(x_i) the promise holds for target rows under covariate
shift; equal weights are ordinary split conformal prediction. Tibshirani, Barber, Candes & Ramdas, NeurIPS 2019.
"""

from __future__ import annotations

import numpy as np


def scores_of(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 - p(y) of each row's own class, (n,), from probabilities (n, c) and labels (n,)."""
    return np.asarray(1 - probabilities[np.arange(len(labels)), labels])


def errors_of(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The largest absolute error of each row's numbers, (n,), of outputs and labels (n, k)."""
    return np.asarray(np.abs(labels - outputs).max(axis=1))


def weighted_limits(scores: np.ndarray, weights: np.ndarray, own: np.ndarray, level: float) -> np.ndarray:
    """The largest score (m,) that an answer may have to be in the set of each of m rows; infinite for all answers.

    The smallest s_k with sum of w_i over s_i <= s_k at least level (sum_i w_i + w): the row's own weight w counts as a
    score of infinity, so that a row unlike all others gets every answer.

    Args:
        scores: Of calibration rows, (n,).
        weights: Of calibration rows, (n,), none negative.
        own: Of the rows asked for, (m,), likewise.
        level: Probability that a set holds the right answer, between 0 and 1.
    """
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    needed = level * (reached[-1] + own) if len(order) else np.full(len(own), np.inf)
    found = np.append(scores[order], np.inf)[np.searchsorted(reached, needed)]
    return np.where(np.isfinite(own) & (needed > 0), found, np.inf)


def prediction_sets(
    probabilities: np.ndarray, own: np.ndarray, scores: np.ndarray, weights: np.ndarray, level: float
) -> np.ndarray:
    """Which classes are in each row's set, (m, c), from probabilities (m, c); see `weighted_limits`.

    A set may be empty: then no class is as likely as the right one of calibration rows nearly always is.
    """
    return np.asarray(1 - probabilities <= weighted_limits(scores, weights, own, level)[:, None])


def prediction_intervals(
    outputs: np.ndarray, own: np.ndarray, scores: np.ndarray, weights: np.ndarray, level: float
) -> np.ndarray:
    """Lowest and highest number of each output of each row, (m, k, 2), from outputs (m, k); see `weighted_limits`.

    With the scores of `errors_of` all k numbers of a row lie between theirs at once with the promised probability.
    Infinite ones say that no calibration row bears the promise out.
    """
    limits = weighted_limits(scores, weights, own, level)[:, None]
    return np.stack((outputs - limits, outputs + limits), axis=2)


def effective_rows(weights: np.ndarray) -> float:
    """(sum w)^2 / sum w^2: how many rows of equal weight say as much as these; 0 without any."""
    square = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / square if square > 0 else 0.0
