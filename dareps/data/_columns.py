"""Tables of numbers as network input: every column standardised over the train rows of all domains together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from dareps.data._base import Fitted
from dareps.data._transforms import column_statistics
from dareps.errors import DataError


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows (n, d) -> columns less their mean, over their deviation: float32; constant columns become 0."""

    where: str
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """Standardise rows of any domain alike; raises `DataError` for rows of another width."""
        if x.shape[1:] != self.mean.shape:
            what, width = f"expected rows of {len(self.mean)} columns", len(self.mean)
            raise DataError(f"{self.where}/{domain}", what, x.shape, f"Give (n, {width}).")
        rows: np.ndarray = (x.astype(np.float32) - self.mean) * self.scale
        return rows


def fit_columns(where: str, x: Iterable[np.ndarray]) -> Fitted:
    """Means and deviations over the train rows of all domains together."""
    mean, scale = column_statistics(np.concatenate([*x]))
    return restore_columns(where, {"mean": mean, "scale": scale})


def restore_columns(where: str, state: Mapping[str, np.ndarray]) -> Fitted:
    """The transform of a state, equal to the one that was fitted."""
    return Fitted(state, Columns(where, state["mean"], state["scale"]))
