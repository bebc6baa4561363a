"""Tables with named columns, of polars or of pandas, as rows of numbers; pandas need not be there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from dareps.data.own._columns import Column, codes_of

if TYPE_CHECKING:
    import polars as pl


def is_frame(x: object) -> bool:
    """Whether rows come as a table with named columns."""
    return all(hasattr(x, own) for own in ("columns", "dtypes", "__getitem__"))


@dataclass(frozen=True, slots=True)
class Table:
    """The columns that were there in `fit`, and how rows of such tables become numbers.

    Attributes:
        columns: What they are, in the order of the first table.
        named: Whether they are found by their names; else by their places.
    """

    columns: tuple[Column, ...]
    named: bool

    @property
    def has_categories(self) -> bool:
        """Whether a column is one of categories."""
        return any(own.categories for own in self.columns)

    def matrix(self, frame: Any) -> np.ndarray:
        """Rows (n, d) float64: numbers, codes of categories, -1 for one that is not listed, NaN where one is missing.

        Raises:
            ValueError: A column is missing, there is one more, or text stands where numbers were.
        """
        texts = {own.name for own in self.columns if own.categories}
        parts = zip(self.columns, self._found(cells_of(frame, texts)), strict=True)
        return np.stack([_values(column, cells) for column, cells in parts], axis=1)

    def _found(self, cells: Mapping[str, pl.Series]) -> list[pl.Series]:
        names = [own.name for own in self.columns] if self.named else list(cells)
        missing, more = [name for name in names if name not in cells], [name for name in cells if name not in names]
        if missing or more or len(names) != len(self.columns):
            told = f"missing are {', '.join(missing[:9]) or 'none'}; new are {', '.join(more[:9]) or 'none'}"
            what = f"X has {len(cells)} features, but DomainAdapter is expecting {len(self.columns)} features as input"
            raise ValueError(f"{what}, by their names: {told}." if self.named else f"{what}.")
        return [cells[name] for name in names]


def table_of(frames: Sequence[Any]) -> Table:
    """What the columns of tables are, all tables together.

    Raises:
        ValueError: The tables have other columns, or a column is neither of numbers nor of text.
    """
    import polars as pl

    mixed = {name for frame in frames for name, own in cells_of(frame).items() if own.dtype == pl.String}
    every = [cells_of(frame, mixed) for frame in frames]
    named = all(isinstance(name, str) for name in frames[0].columns)
    plain = Table(tuple(Column(name) for name in every[0]), named)
    return Table(tuple(map(_column, zip(*map(plain._found, every), strict=True))), named)


def _column(parts: Sequence[pl.Series]) -> Column:
    """What a column is, by its cells in each table: categories where any of them holds text."""
    import polars as pl

    from dareps.data.own._infer import common
    from dareps.data.own._kinds import one_spelling

    name, marked = parts[0].name, any(own.null_count() for own in parts)
    if not any(own.dtype == pl.String for own in parts):
        return Column(name, marked=marked)
    return Column(name, common(one_spelling(pl.concat(list(map(_spelled, parts)))), name, []), marked=marked)


def _spelled(cells: pl.Series) -> pl.Series:
    """Cells as text, each written in a way that no other has a part in."""
    import polars as pl

    from dareps.data.own._kinds import canonical

    if cells.dtype == pl.String:
        return cells.str.strip_chars()
    texts = [None if cell is None else canonical(str(cell)) for cell in cells.to_list()]
    return pl.Series(cells.name, texts, dtype=pl.String)


def _values(column: Column, cells: pl.Series) -> np.ndarray:
    import polars as pl

    if column.categories:
        codes, missing = codes_of(_spelled(cells), column.categories)
        return np.where(missing, np.nan, codes)
    if cells.dtype == pl.String and cells.null_count() < len(cells):
        raise ValueError(f"Column {column.name} holds text, and did not in fit: {cells.drop_nulls()[0]!r}.")
    return np.asarray(cells.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)


def cells_of(frame: Any, texts: Collection[str] = ()) -> dict[str, pl.Series]:
    """Each column's cells as float64, booleans or text, missing where there is none.

    Objects are text in the columns `texts`, and elsewhere where not all of them are numbers.

    Raises:
        ValueError: Two columns have one name, or one is neither of numbers nor of text.
    """
    import polars as pl

    names = list(frame.columns)
    if len(set(names)) < len(names):
        raise ValueError(f"Two columns of the table have one name: {sorted(map(str, names))}.")
    keys = names if all(isinstance(name, str) for name in names) else [f"column {n + 1}" for n in range(len(names))]
    read = _of_polars if isinstance(frame, pl.DataFrame) else _of_pandas
    return {key: read(key, frame[name], key in texts) for key, name in zip(keys, names, strict=True)}


def _of_polars(name: str, cells: pl.Series, text: bool) -> pl.Series:
    import polars as pl

    if cells.dtype == pl.Boolean:
        return cells.alias(name)
    if cells.dtype.is_numeric() or cells.dtype == pl.Null:
        return cells.cast(pl.Float64).fill_nan(None).alias(name)
    if cells.dtype in (pl.String, pl.Categorical, pl.Enum):
        return cells.cast(pl.String).alias(name)
    if cells.dtype == pl.Object:
        return _of_objects(name, cells.to_list(), text)
    raise _unfit(name, cells.dtype)


def _of_pandas(name: str, cells: Any, text: bool) -> pl.Series:
    """A column that says its `dtype` and, by `isna`, where it is missing."""
    import polars as pl

    kind = getattr(cells.dtype, "kind", "O")
    if kind not in "biufOUST":
        raise _unfit(name, cells.dtype)
    if isinstance(cells.dtype, np.dtype) and kind == "b":
        return pl.Series(name, np.asarray(cells, dtype=bool))
    if isinstance(cells.dtype, np.dtype) and kind in "iuf":
        return pl.Series(name, np.asarray(cells, dtype=np.float64), nan_to_null=True)
    gaps = np.asarray(cells.isna(), dtype=bool)
    values = [None if gap else value for gap, value in zip(gaps, np.asarray(cells, dtype=object), strict=True)]
    return _of_objects(name, values, text or str(cells.dtype) == "category")


def _of_objects(name: str, values: Sequence[object], text: bool) -> pl.Series:
    """Text, unless it need not be and all that is there are numbers."""
    import polars as pl

    there = [value for value in values if value is not None]
    if not text and there and all(isinstance(value, Real | np.bool_) for value in there):
        numbers = [None if value is None else float(value) for value in values]  # type: ignore[arg-type]
        return pl.Series(name, numbers, dtype=pl.Float64).fill_nan(None)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def _unfit(name: str, dtype: object) -> ValueError:
    return ValueError(f"Column {name} is of {dtype}: make it numbers or text, or leave it out.")
