"""Tables as raw rows of numbers, and what is fitted to them: imputed, scaled, one place for each category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from dareps.data._base import Fitted
from dareps.errors import DataError

if TYPE_CHECKING:
    import polars as pl

UNKNOWN: Final = -1
"""The code of a category that the description does not list."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is learned from.

    Attributes:
        categories: Its values in the order of their codes; empty for numbers.
    """

    name: str
    categories: tuple[str, ...] = ()


def encode(where: str, frame: pl.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Raw rows (n, 2 d) float64: every column's number or code, 0 where it is missing, then 1 where it is missing.

    A category that the description does not list has the code -1, which is not missing.

    Raises:
        DataError: A column is not there, or a cell that should be a number is none.
    """
    from dareps.data.own._kinds import as_numbers, as_text

    values, gaps = np.zeros((frame.height, len(columns))), np.zeros((frame.height, len(columns)))
    for place, column in enumerate(columns):
        if column.name not in frame.columns:
            raise DataError(where, "the table lacks a column", column.name, f"It has {', '.join(frame.columns)}.")
        cells = frame[column.name]
        if column.categories:
            codes = {name: code for code, name in enumerate(column.categories)}
            text = as_text(cells).to_list()
            found = np.asarray([0 if cell is None else codes.get(cell, UNKNOWN) for cell in text], dtype=np.float64)
            missing = np.asarray([cell is None for cell in text])
        else:
            numbers = as_numbers(cells)
            _refuse_text(where, cells, numbers)
            found, missing = numbers.fill_null(0.0).to_numpy(), numbers.is_null().to_numpy()
        values[:, place], gaps[:, place] = np.where(missing, 0.0, found), missing
    return np.concatenate([values, gaps], axis=1)


def _refuse_text(where: str, cells: pl.Series, numbers: pl.Series) -> None:
    import polars as pl

    bad = (cells.is_not_null() & numbers.is_null()).arg_true() if cells.dtype == pl.String else cells.head(0)
    if len(bad):
        row = int(bad[0])
        what = f"column {cells.name}, row {row + 1}: a cell is no number"
        raise DataError(where, what, cells[row], "Mend it, or leave it empty.")


@dataclass(frozen=True, slots=True)
class Columns:
    """Raw rows (n, 2 d) -> network input (n, e) float32.

    Numbers: missing ones become the median, all are shifted and scaled to mean 0 and deviation 1. Categories: a place
    each for those that occur among the rows it was fitted to, all 0 for others and where it is missing. Columns with
    gaps among those rows get a further place that is 1 where there is one.

    Attributes:
        sizes: Categories of each column, 0 for numbers, (d,).
        medians: By column, (d,); means and scales likewise; scale 0 for a number that does not vary.
        known: For each category of each column in order, whether it occurs, (sum of sizes,).
        gaps: Whether each column has gaps, (d,).
    """

    where: str
    sizes: np.ndarray
    medians: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    known: np.ndarray
    gaps: np.ndarray

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """The transformed rows."""
        count = len(self.sizes)
        if x.ndim != 2 or x.shape[1] != 2 * count:
            what = f"expected rows of {count} values and {count} marks of missing ones"
            raise DataError(self.where, what, x.shape, "Give them as the dataset does.")
        values, missing = x[:, :count], x[:, count:] > 0
        numbers = self.sizes == 0
        filled = np.where(missing, self.medians, values)[:, numbers]
        blocks = [(filled - self.means[numbers]) * self.scales[numbers]]
        start = 0
        for place in np.flatnonzero(~numbers):
            kept = np.flatnonzero(self.known[start : start + self.sizes[place]])
            blocks.append((values[:, place, None] == kept) & ~missing[:, place, None])
            start += self.sizes[place]
        blocks.append(missing[:, self.gaps.astype(bool)])
        return np.concatenate(blocks, axis=1).astype(np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """The arrays that rebuild it."""
        names = ("sizes", "medians", "means", "scales", "known", "gaps")
        return {name: getattr(self, name) for name in names}


def fit_columns(where: str, sizes: Sequence[int], x: Mapping[str, np.ndarray]) -> Fitted:
    """Fit on the train rows (n, 2 d) of all domains together.

    Raises:
        DataError: No column varies.
    """
    rows = np.concatenate(list(x.values()))
    count = len(sizes)
    values, missing = rows[:, :count], rows[:, count:] > 0
    medians = np.asarray([_median(values[~missing[:, place], place]) for place in range(count)])
    filled = np.where(missing, medians, values)
    deviation = np.where(filled.max(axis=0) > filled.min(axis=0), filled.std(axis=0), 0.0)
    scales = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    occurring = [
        np.isin(np.arange(size), values[~missing[:, place], place]) for place, size in enumerate(sizes) if size > 0
    ]
    known = np.concatenate([np.zeros(0, bool), *occurring])
    columns = Columns(
        where,
        np.asarray(sizes, np.int64),
        medians,
        filled.mean(axis=0),
        scales,
        np.asarray(known, np.uint8),
        np.asarray(missing.any(axis=0), np.uint8),
    )
    if not known.any() and not scales[columns.sizes == 0].any():
        raise DataError(where, "no column varies among the train rows", count, "Give columns that say something.")
    return Fitted(columns.state(), columns)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0


def restore_columns(where: str, state: Mapping[str, np.ndarray]) -> Fitted:
    """The transform of a state, equal to the one that was fitted."""
    return Fitted(state, Columns(where, **state))
