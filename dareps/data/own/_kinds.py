"""What a column of a table is: a number, a category, or nothing to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from dareps.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["number", "category", "ignore"]
CATEGORIES: Final = 50
"""A column of text has at most this many different values, or at most a twentieth of the rows; else it is ignored."""
CLASSES: Final = 20
"""Whole numbers of at most so many different values are classes where a label's kind is open."""
MOSTLY: Final = 0.8
"""From this share of numbers on, a column is one of numbers with mistakes in it, and no column of text."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a column, and why it is ignored where it is."""

    kind: Kind
    why: str = ""


def column_kind(where: str, column: pl.Series, owners: Sequence[str] = ()) -> Found:
    """The kind of a column of numbers or text, over all domains together.

    Args:
        where: The dataset, for errors.
        column: Its cells, one domain's after another's.
        owners: Which domain each is of; none given means that all are of one.

    Raises:
        DataError: Most cells are numbers and some are not.
    """
    values = column.drop_nulls()
    if len(values) == 0:
        return Found("ignore", "it is empty")
    if values.dtype.is_temporal() or values.dtype.is_nested():
        return Found("ignore", f"it holds {values.dtype}")
    if values.n_unique() == 1:
        return Found("ignore", "it does not vary")
    numbers = as_numbers(column)
    known = numbers.drop_nulls()
    if len(known) == len(values):
        return Found("ignore", "it counts rows") if _counts(known) else Found("number")
    if len(known) >= MOSTLY * len(values):
        row = int((column.is_not_null() & numbers.is_null()).arg_true()[0])
        place = f"row {row + 1 - owners.index(owners[row])} of {owners[row]}" if owners else f"row {row + 1}"
        what = f"{len(values) - len(known)} of {len(values)} cells are no numbers, the first in {place}"
        fix = "Mend them, leave them empty, or say that the column is a category or to be ignored."
        raise DataError(f"{where}, column {column.name}", what, column[row], fix)
    different = values.n_unique()
    if different > max(CATEGORIES, len(values) // 20):
        return Found("ignore", f"it is text of {different} different values")
    return Found("category")


def as_numbers(column: pl.Series) -> pl.Series:
    """A column as float64, missing where a cell is no finite number; a comma may stand before the decimals."""
    import polars as pl

    if column.dtype == pl.String:
        text = column.str.strip_chars()
        plain = text.cast(pl.Float64, strict=False)
        # A comma is tried where a point does not do for any cell: 1,234 alone does not say what it means.
        if plain.null_count() > text.null_count():
            commas = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
            plain = commas if commas.null_count() < plain.null_count() else plain
        column = plain
    found = column.cast(pl.Float64, strict=False)
    return found.set(~found.is_finite(), None)


def as_text(column: pl.Series) -> pl.Series:
    """A column as text without blanks around it; whole numbers without decimals."""
    import polars as pl

    if column.dtype.is_float():
        whole = column.drop_nulls().drop_nans()
        if (whole == whole.round()).all():
            column = column.cast(pl.Int64, strict=False)
    return column.cast(pl.String).str.strip_chars()


def label_kind(column: pl.Series) -> Literal["classification", "regression"]:
    """What a label is where nobody says: numbers of many values are numbers, all else are classes."""
    values = column.drop_nulls()
    numbers = as_numbers(values).drop_nulls()
    if len(numbers) < len(values):
        return "classification"
    whole = bool((numbers == numbers.round()).all())
    return "classification" if whole and numbers.n_unique() <= CLASSES else "regression"


def _counts(numbers: pl.Series) -> bool:
    """Whether a column says nothing but which row it is in."""
    steps = numbers.diff().drop_nulls()
    return len(steps) > 9 and bool((steps == 1).mean() > 0.99)  # type: ignore[operator]
