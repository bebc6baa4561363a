"""Class shares of unlabelled rows from a classifier's mistakes on labelled ones (black-box shift estimation), in numpy.

Under label shift p(x | y) is the same on both sides, and so is what a fixed classifier makes of a class. With
A_ij = p(predicted i | true j) of the source and m_i the share of target rows predicted as i, m = A q for the target's
class shares q. Lipton, Wang & Smola, ICML 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from dareps.maths.keys import key_of

WEAK: Final = 0.1
"""A smallest singular value below this multiplies sampling errors more than tenfold."""


@dataclass(frozen=True, slots=True)
class ClassShares:
    """Estimated class shares of the target, each (c,) summing to 1 but for the limits.

    Attributes:
        target: The estimate q.
        low: Lower limit of a bootstrap interval for each class alone; `high` the upper one.
        source: Shares among the labelled rows that the classifier was trained on.
        singular: Smallest singular value of A: 1 for a classifier without mistakes, 0 where no estimate is possible.
        unexplained: Total variation between A q and m, which label shift alone cannot explain; from 0 to 1.
    """

    target: np.ndarray
    low: np.ndarray
    high: np.ndarray
    source: np.ndarray
    singular: float
    unexplained: float

    @property
    def weights(self) -> np.ndarray:
        """w(y) = q(y) / p(y), (c,), scaled so that its mean over the source rows is 1; 0 for a class without rows.

        The scale differs from 1 only where the target has a class that the source does not.
        """
        known = self.source > 0
        ratio = np.where(known, self.target, 0.0) / np.where(known, self.source, 1.0)
        mean = float(ratio @ self.source)
        return np.asarray(ratio / mean if mean > 0 else known.astype(np.float64))

    @property
    def moved(self) -> np.ndarray:
        """Classes (k,) whose interval leaves out the share that the source has."""
        return np.flatnonzero((self.source < self.low) | (self.source > self.high))

    @property
    def doubt(self) -> str:
        """Why the estimate should not be relied upon; empty where nothing speaks against it."""
        if self.singular < WEAK:
            return f"the classifier confuses some classes too much (smallest singular value {self.singular:.3f})"
        if self.unexplained > WEAK:
            return f"label shift leaves {self.unexplained:.0%} of the predictions unexplained"
        return ""


def class_shares(
    labels: np.ndarray,
    predicted: np.ndarray,
    target: np.ndarray,
    source: np.ndarray,
    *,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> ClassShares:
    """Estimate the target's class shares.

    The bootstrap draws labelled rows within each class, since A is a statement about classes, and target rows among
    all. A class without labelled rows cannot be told from the others and gets no share.

    Args:
        labels: Classes (n,) of rows that the classifier was not trained on.
        predicted: What it makes of them (n, c): 1 for the predicted class and 0 else (`hard`), or probabilities.
        target: The same of unlabelled target rows (m, c).
        source: Class shares (c,) among the rows that weights are for.
        draws: Bootstrap draws; 0 makes both limits the estimate.
        level: Share of the draws between the limits.
        seed: Of the draws.

    Raises:
        ValueError: There is no labelled row, or no target row.
    """
    if not len(labels) or not len(target):
        raise ValueError("class shares need labelled rows and target rows")
    rates, told = confusion_rates(labels, predicted), target.mean(axis=0)
    shares = simplex_solution(rates, told)
    found = [simplex_solution(*drawn) for drawn in _drawn(labels, predicted, target, draws, seed)]
    outside = 50 * (1 - level)
    low, high = np.percentile(found or [shares], (outside, 100 - outside), axis=0)
    known = rates.any(axis=0)
    singular = float(np.linalg.svd(rates[:, known], compute_uv=False)[-1])
    return ClassShares(shares, low, high, source, singular, float(np.abs(rates @ shares - told).sum() / 2))


def hard(outputs: np.ndarray) -> np.ndarray:
    """1 for the class with the largest output and 0 else, (n, c)."""
    return np.asarray(np.eye(outputs.shape[1])[outputs.argmax(axis=1)])


def shares_of(labels: np.ndarray, classes: int) -> np.ndarray:
    """Share of each class (c,) among labels (n,), of which negative ones are missing; zeros without any."""
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    return np.asarray(counts / max(counts.sum(), 1))


def confusion_rates(labels: np.ndarray, predicted: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """A (c, c), column j the mean prediction for rows of class j, each row counted so often; 0 for an absent class."""
    members = np.eye(predicted.shape[1])[labels] * (1.0 if counts is None else counts[:, None])
    rows = members.sum(axis=0)
    return np.asarray(predicted.T @ members / np.where(rows > 0, rows, 1))


def simplex_solution(rates: np.ndarray, told: np.ndarray) -> np.ndarray:
    """The shares q >= 0 (c,), sum 1, that minimise |A q - m|^2; 0 for a column of zeros.

    As q sums to 1, A q - m = B q with B = A - m 1^T. Non-negative least squares gives the u >= 0 that minimises
    |B u|^2 + (1^T u - 1)^2; on the ray u = t q that is smallest at |B q|^2 / (1 + |B q|^2), which grows with |B q|, so
    u / (1^T u) is the minimiser sought, exactly.
    """
    from scipy.optimize import nnls

    known = rates.any(axis=0)
    away = rates[:, known] - told[:, None]
    found = nnls(np.vstack([away, np.ones(away.shape[1])]), np.append(np.zeros(len(told)), 1.0))[0]
    shares = np.zeros(rates.shape[1])
    shares[known] = found / found.sum()
    return shares


def _drawn(
    labels: np.ndarray, predicted: np.ndarray, target: np.ndarray, draws: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A and m of rows drawn with replacement."""
    source = np.random.Generator(np.random.Philox(key=key_of("label shift", seed) % 2**64))
    groups = [np.flatnonzero(labels == own) for own in np.unique(labels)]
    for _ in range(draws):
        counts = np.zeros(len(labels))
        for rows in groups:
            counts[rows] = _often(source, len(rows))
        yield confusion_rates(labels, predicted, counts), _often(source, len(target)) @ target / len(target)


def _often(source: np.random.Generator, rows: int) -> np.ndarray:
    """How often each of n rows comes up in n draws."""
    return np.bincount(source.integers(rows, size=rows), minlength=rows).astype(np.float64)
