"""What a column of a table is: a number, a category, or nothing to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from dareps.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

Kind = Literal["number", "category", "ignore"]
CATEGORIES: Final = 50
"""A column of text has at most this many different values, or at most a twentieth of the rows; else it is ignored."""
CLASSES: Final = 20
"""Whole numbers of at most so many different values are classes where a label's kind is open."""
MOSTLY: Final = 0.8
"""From this share of numbers on, a column is one of numbers with mistakes in it, and no column of text."""


SAY: Final = "--column NAME=KIND, or `columns` of a description"
"""How people say what a column is."""
DATE: Final = (
    r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))"
    r"([T ]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?$"
)
"""Cells that are dates, with or without a time."""
THOUSANDS: Final = r"^[+-]?\d{1,3}((,\d{3}){2,}(\.\d*)?|(,\d{3})+\.\d*|(\.\d{3}){2,}(,\d*)?|(\.\d{3})+,\d*)$"
"""Numbers that can only be read with commas or points between thousands."""
GROUPED: Final = r"^[+-]?\d{1,3}([' \u{2019}\u{a0}\u{202f}]\d{3})+([.,]\d*)?$"
"""Numbers with blanks or apostrophes between thousands."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a column, and why it is ignored where it is."""

    kind: Kind
    why: str = ""


def column_kind(
    where: str, column: pl.Series, owners: Sequence[str] = (), numbers_of: Sequence[int] | np.ndarray = ()
) -> Found:
    """The kind of a column of numbers or text, over all domains together.

    Args:
        where: The dataset, for errors.
        column: Its cells, one domain's after another's.
        owners: Which domain each is of; none given means that all are of one.
        numbers_of: Which row of its domain's file each is in, from 0; none given means that they follow one another.

    Raises:
        DataError: Most cells are numbers and some are not.
    """
    values = column.drop_nulls()
    if len(values) == 0:
        return Found("ignore", "it is empty")
    if values.dtype.is_temporal() or compound(values):
        return Found("ignore", f"it holds {values.dtype}")
    if values.n_unique() == 1:
        return Found("ignore", "it does not vary")
    numbers = as_numbers(column)
    known = numbers.drop_nulls()
    if len(known) == len(values):
        return Found("ignore", "it counts rows") if _counts(known) else Found("number")
    why = _written(values)
    if why:
        return Found("ignore", why)
    _refuse_thousands(where, values, numbers)
    if len(known) >= MOSTLY * len(values):
        row = int((column.is_not_null() & numbers.is_null()).arg_true()[0])
        number = numbers_of[row] if len(numbers_of) else row - (owners.index(owners[row]) if owners else 0)
        place = f"row {number} (from 0) of {owners[row]}" if owners else f"row {number} (from 0)"
        what = f"{len(values) - len(known)} of {len(values)} cells are no numbers, the first in {place}"
        fix = f"Mend them, leave them empty, or say that the column is a category or to be ignored ({SAY})."
        raise DataError(f"{where}, column {column.name}", what, column[row], fix)
    different = values.n_unique()
    if different > max(CATEGORIES, len(values) // 20):
        return Found("ignore", f"it is text of {different} different values")
    return Found("category")


def _written(values: pl.Series) -> str:
    """Why a column of text is ignored for how its cells are written."""
    import polars as pl

    dates = values.cast(pl.String).str.strip_chars().str.contains(DATE)
    return f"it holds dates, such as {values[0]}: give numbers made of them if they matter" if dates.all() else ""


def _refuse_thousands(where: str, values: pl.Series, numbers: pl.Series) -> None:
    """Refuse numbers whose thousands are set apart by commas or points: 1,234 beside 1,234,567 has two meanings.

    Raises:
        DataError: A column has such cells and beside them hardly anything but numbers.
    """
    import polars as pl

    text = values.cast(pl.String).str.strip_chars()
    apart = text.str.contains(THOUSANDS)
    if apart.any() and int(apart.sum()) + len(numbers.drop_nulls()) >= MOSTLY * len(values):
        what = f"{int(apart.sum())} cells have marks between thousands"
        fix = f"Write 1234567.8 for 1,234,567.8, or say that the column is to be ignored ({SAY})."
        raise DataError(f"{where}, column {values.name}", what, text.filter(apart)[0], fix)


def ambiguous(column: pl.Series) -> str:
    """A cell such as 1,234 of a column whose commas may all stand between thousands; empty where none does."""
    import polars as pl

    if column.dtype != pl.String:
        return ""
    cells = column.drop_nulls().str.strip_chars()
    cells = cells.filter(cells.str.contains(",", literal=True))
    return str(cells[0]) if len(cells) and bool(cells.str.contains(r"^[+-]?[1-9]\d{0,2},\d{3}$").all()) else ""


def as_numbers(column: pl.Series) -> pl.Series:
    """A column as float64, missing where a cell is no finite number.

    A comma may stand before the decimals, a blank or an apostrophe between thousands, and a percent sign behind.

    Raises:
        DataError: Cells are lists, records or bytes.
    """
    import polars as pl

    _refuse_nested(column)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        plain = text.cast(pl.Float64, strict=False)
        # A comma is tried where a point does not do for any cell: 1,234 alone does not say what it means.
        if plain.null_count() > text.null_count():
            commas = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
            plain = commas if commas.null_count() < plain.null_count() else plain
        if plain.null_count() > text.null_count():
            plain = plain.fill_null(_dressed(text))
        column = plain
    found = column.cast(pl.Float64, strict=False)
    return found.set(~found.is_finite(), None)


def compound(column: pl.Series) -> bool:
    """Whether cells are lists, records, bytes or objects: neither a number nor a text."""
    import polars as pl

    return column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object)


def _refuse_nested(column: pl.Series) -> None:
    if compound(column):
        fix = "Write a column for each of its parts, or say that it is to be ignored."
        raise DataError(f"column {column.name}", "its cells are lists, records or bytes", str(column.dtype), fix)


def _dressed(text: pl.Series) -> pl.Series:
    """Numbers with blanks or apostrophes between thousands, or a percent sign; missing where a cell is none."""
    import polars as pl

    percent = text.str.ends_with("%")
    bare = text.str.strip_suffix("%").str.strip_chars()
    grouped = bare.str.contains(GROUPED).fill_null(value=False)
    plain = bare.str.replace_all(r"[' \u{2019}\u{a0}\u{202f}]", "").zip_with(grouped, bare)
    found = plain.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    wanted = (percent | grouped).fill_null(value=False)
    return (found / 100).zip_with(percent.fill_null(value=False), found).set(~wanted, None)


def as_text(column: pl.Series) -> pl.Series:
    """A column as text without blanks around it; whole numbers without decimals.

    Raises:
        DataError: Cells are lists, records or bytes.
    """
    import polars as pl

    _refuse_nested(column)
    if column.dtype.is_float():
        whole = column.drop_nulls().drop_nans()
        if (whole == whole.round()).all():
            column = column.cast(pl.Int64, strict=False)
    return column.cast(pl.String).str.strip_chars()


def canonical(text: str) -> str:
    """One spelling for the texts of a value that programs write in several ways: 1 and 1.0, True and true."""
    if text.lower() in ("true", "false"):
        return text.lower()
    whole, point, rest = text.partition(".")
    return whole if point and rest and not rest.strip("0") and whole.lstrip("+-").isdecimal() else text


def one_spelling(text: pl.Series) -> pl.Series:
    """A column of text in which each value is spelled as where it comes first."""
    first: dict[str, str] = {}
    for value in text.drop_nulls().unique(maintain_order=True).to_list():
        first.setdefault(canonical(value), value)
    return respelled(text, tuple(first.values()))


def respelled(cells: pl.Series, known: Sequence[str]) -> pl.Series:
    """A column as text in which values that are known are spelled as they are known; others stay."""
    text = as_text(cells)
    strange = set(text.drop_nulls().unique().to_list()).difference(known)
    spelling = {canonical(value): value for value in reversed(known)}
    changes = {value: spelling[canonical(value)] for value in strange if canonical(value) in spelling}
    return text.replace(changes) if changes else text


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
