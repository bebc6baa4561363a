"""Units of regression targets: the affine map between what the data says and what a head learns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and spread of each output of a regression task, both (size,), float64.

    Both come from the labels of the source train rows of all source domains together: the mean and the population
    standard deviation over the rows that have a label. An output that is constant there has spread 1, and one without
    any label mean 0 and spread 1. Target labels never enter, so nothing about them leaks into training.
    """

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, labels: Iterable[np.ndarray], size: int) -> Scale:
        """The scale of labels (n, size) of several domains, NaN where one is missing."""
        rows = np.concatenate([np.empty((0, size)), *labels])
        mean, spread = np.zeros(size), np.ones(size)
        for output, column in enumerate(rows.T):
            known = column[~np.isnan(column)]
            if len(known):
                mean[output] = known.mean()
                deviation = known.std()
                # What rounding leaves of a constant is not a spread.
                constant = np.ptp(known) == 0 or not np.isfinite(1 / deviation)
                spread[output] = 1.0 if constant else deviation
        return cls(mean, spread)

    def standardise(self, labels: np.ndarray) -> np.ndarray:
        """(labels - mean) / spread, (n, size); missing ones stay NaN."""
        return np.asarray((labels - self.mean) / self.spread)

    def restore(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a head (n, size) in the units of the labels: outputs * spread + mean."""
        return np.asarray(outputs * self.spread + self.mean)
