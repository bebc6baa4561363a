"""Tables as raw rows of numbers, and where each column's values are in a row of network input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from dareps.data.own.description import Transform
from dareps.errors import DataError

if TYPE_CHECKING:
    import polars as pl

UNKNOWN: Final = -1
"""The code of a category that the description does not list."""
BESIDE: Final = 2
"""Places of a category column beside those of its categories: for all others, and for a missing one."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is learned from.

    Attributes:
        categories: Its values in the order of their codes; empty for numbers.
        transform: What is made of numbers.
        marked: Whether numbers have a place that says where they are missing.
    """

    name: str
    categories: tuple[str, ...] = ()
    transform: Transform = "standard"
    marked: bool = True


def layout(columns: Sequence[Column]) -> tuple[tuple[int, int], ...]:
    """First place and number of places of each category column in network input: behind numbers and their marks.

    It depends on what is described alone, so that all seeds have rows of one width.
    """
    start = sum(1 + own.marked for own in columns if not own.categories)
    found = []
    for size in (len(own.categories) + BESIDE for own in columns if own.categories):
        found.append((start, size))
        start += size
    return tuple(found)


def encode(where: str, frame: pl.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Raw rows (n, 2 d) float64: every column's number or code, 0 where it is missing, then 1 where it is missing.

    A category that the description does not list has the code -1, which is not missing.

    Raises:
        DataError: A column is not there, or a cell that should be a number is none.
    """
    from dareps.data.own._kinds import as_numbers

    values, gaps = np.zeros((frame.height, len(columns))), np.zeros((frame.height, len(columns)))
    for place, column in enumerate(columns):
        if column.name not in frame.columns:
            fix = f"Add it, or rename one; the table has {', '.join(frame.columns)}."
            raise DataError(where, f"the table lacks the column {column.name}", fix=fix)
        cells = frame[column.name]
        if column.categories:
            found, missing = codes_of(cells, column.categories)
        else:
            numbers = as_numbers(cells)
            _refuse_text(where, cells, numbers)
            found, missing = numbers.fill_null(0.0).to_numpy(), numbers.is_null().to_numpy()
        values[:, place], gaps[:, place] = np.where(missing, 0.0, found), missing
    return np.concatenate([values, gaps], axis=1)


def codes_of(cells: pl.Series, categories: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n,) of a column's categories, however they are spelled, and where they are missing, (n,)."""
    from dareps.data.own._kinds import respelled

    codes = {name: code for code, name in enumerate(categories)}
    text = respelled(cells, categories).to_list()
    found = np.asarray([0 if cell is None else codes.get(cell, UNKNOWN) for cell in text], dtype=np.float64)
    return found, np.asarray([cell is None for cell in text], dtype=bool)


def _refuse_text(where: str, cells: pl.Series, numbers: pl.Series) -> None:
    import polars as pl

    bad = (cells.is_not_null() & numbers.is_null()).arg_true() if cells.dtype == pl.String else cells.head(0)
    if len(bad):
        row = int(bad[0])
        what = f"column {cells.name}, row {row} (from 0): a cell is no number"
        raise DataError(where, what, cells[row], "Mend it, or leave it empty.")
