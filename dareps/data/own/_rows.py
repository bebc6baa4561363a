"""Rows of a domain as its description has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dareps.data._base import DomainRows
from dareps.data.own._arrays import Arrays
from dareps.data.own._columns import Column, encode
from dareps.data.own._images import read_images
from dareps.data.own._kinds import as_numbers, as_text, respelled
from dareps.data.own._reading import read_some, some
from dareps.data.own._tables import Facts, Table
from dareps.data.own.description import Asked, Description, Place, Wanted
from dareps.errors import DataError

if TYPE_CHECKING:
    import polars as pl

PARTS: Final = ("train", "validation", "test")
KEPT: Final = 8
"""So many files stay read: as many as a suite usually has domains."""


def contents(path: Path, description: Description, column: str = "", value: str = "") -> Table | Arrays:
    """What a file or folder holds, or so many of its rows as are learned from; read once while it stays as it is.

    Of several domains in one table, only the rows with this `value` in the `column` are taken where one is named.
    """
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _contents(path, description.side, description.rows, column, value, stamp)


@lru_cache(maxsize=KEPT)
def _contents(path: Path, side: int, rows: int, column: str, value: str, stamp: int) -> Table | Arrays:
    return some(read_images(path, side), rows) if path.is_dir() else read_some(path, rows, column, value)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of one file that belong to a domain: inputs as read, and columns or arrays that may be labels.

    Attributes:
        numbers: Which rows of the file they are, from 0; None for all.
        total: How many rows of the domain the file has.
        facts: Column -> what all its cells say, where only some rows are here.
    """

    inputs: pl.DataFrame | np.ndarray
    labels: Mapping[str, pl.Series]
    parts: np.ndarray | None = None
    numbers: np.ndarray | None = None
    total: int = 0
    facts: Mapping[str, Facts] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def thinned(self) -> bool:
        """Whether the file has more rows of the domain."""
        return self.total > len(self)


def loaded(name: str, description: Description, file: str) -> Loaded:
    """The rows of a domain in one of its files that are learned from.

    Raises:
        DataError: The file cannot be read, or has no row of the domain.
    """
    place, path = description.domains[name], Path(file)
    found = contents(path, description)
    if isinstance(found, Arrays):
        return of_arrays(found, place, file)
    _check_columns(found.frame, place, file)
    if not place.column:
        return of_table(found, place, file)
    value = place.value or name
    few = found.numbers is not None
    rows = contents(path, description, place.column, value) if few else _of_value(found, place.column, value)
    assert isinstance(rows, Table)
    if rows.frame.height == 0:
        known = ", ".join(sorted(as_text(found.frame[place.column]).drop_nulls().unique().to_list())[:9])
        raise DataError(file, f"no row has this in column {place.column}", value, f"There are {known}.")
    return of_table(rows, place, file)


def _of_value(found: Table, column: str, value: str) -> Table:
    here = (as_text(found.frame[column]) == value).fill_null(value=False)
    rows = found.frame.filter(here)
    return Table(rows, rows.height, None if here.all() else here.arg_true().to_numpy())


def of_arrays(found: Arrays, place: Place, file: str) -> Loaded:
    """Arrays as rows of a domain, with all that have one value a row as possible labels."""
    import polars as pl

    if place.column or place.part:
        raise DataError(file, "only tables have columns that say domain or part", place.column or place.part, "")
    flat = {key: own for key, own in found.others.items() if own.ndim == 1 or own.shape[1:] == (1,)}
    labels = {key: pl.Series(key, own.reshape(-1)) for key, own in flat.items()}
    return Loaded(found.x, labels, None, found.numbers, found.total or len(found.x))


def of_table(found: Table, place: Place, file: str) -> Loaded:
    """A table as rows of a domain, with all columns as possible labels."""
    parts = None if not place.part else _parts(file, found.frame[place.part])
    inputs = found.frame.drop([column for column in (place.column, place.part) if column])
    labels = {column: inputs[column] for column in inputs.columns}
    return Loaded(inputs, labels, parts, found.numbers, found.total, found.facts)


def _check_columns(frame: pl.DataFrame, place: Place, file: str) -> None:
    for column in (place.column, place.part):
        if column and column not in frame.columns:
            raise DataError(file, "the table lacks a column", column, f"It has {', '.join(frame.columns)}.")


def domain_rows(description: Description, name: str) -> DomainRows:
    """A domain's rows, raw, with the labels of all tasks.

    Raises:
        DataError: They are not as described.
    """
    place = description.domains[name]
    own = loaded(name, description, place.file)
    x, y = raw(description, name, own), labels(description, name, own)
    if place.test:
        test = loaded(name, description, place.test)
        return DomainRows(x, y, raw(description, name, test), labels(description, name, test))
    if own.parts is None:
        return DomainRows(x, y)
    held = own.parts == "test"
    trained = {task: values[~held] for task, values in y.items()}
    validation = np.flatnonzero(own.parts[~held] == "validation")
    found = DomainRows(x[~held], trained, validation=validation if len(validation) else None)
    if not held.any():
        return found
    return replace(found, test_x=x[held], test_y={task: values[held] for task, values in y.items()})


def raw(description: Description, name: str, own: Loaded) -> np.ndarray:
    """Raw rows (n, *shape): tables encoded, arrays as they are, gaps of arrays (n, d) marked as tables mark theirs."""
    where = f"data {description.name}/{name}"
    if not isinstance(own.inputs, np.ndarray):
        if description.form != "table":
            raise DataError(
                where, "expected arrays, found a table", description.form or "", "Give a file like the others."
            )
        columns = columns_of(description)
        if own.numbers is not None:
            _refuse_text(where, own, columns)
        return encode(where, own.inputs, columns)
    x = own.inputs
    if description.form == "table":
        raise DataError(where, "expected a table, found arrays", x.shape, "Give a file like the others.")
    if description.form == "rows":
        missing = ~np.isfinite(x.astype(np.float64))
        return np.concatenate([np.where(missing, 0.0, x), missing], axis=1)
    return x


def _refuse_text(where: str, own: Loaded, columns: Sequence[Column]) -> None:
    """Refuse a cell that should be a number, named by its row of the file, which these rows are a part of."""
    assert own.numbers is not None
    for column in columns:
        cells = own.labels.get(column.name)
        if cells is not None and not column.categories and not cells.dtype.is_numeric():
            bad = (cells.is_not_null() & as_numbers(cells).is_null()).arg_true()
            if len(bad):
                row = int(own.numbers[bad[0]])
                what = f"column {column.name}, row {row} (from 0): a cell is no number"
                raise DataError(where, what, cells[int(bad[0])], "Mend it, or leave it empty.")


def columns_of(description: Description) -> list[Column]:
    """The columns that are learned from, in order; none of series and images."""
    usual, gaps = description.transforms.numbers, description.gaps
    if description.form == "rows":
        named = [(f"column {place + 1}", Wanted()) for place in range(description.shape[0] // 2)]
    else:
        named = [(name, own) for name, own in description.columns.items() if own.kind != "ignore"]
    return [
        Column(name, own.categories, marked=gaps is None or place in gaps)
        if own.kind == "category"
        else Column(name, (), own.transform or usual, gaps is None or place in gaps)
        for place, (name, own) in enumerate(named)
    ]


def labels(description: Description, name: str, own: Loaded) -> dict[str, np.ndarray]:
    """Labels by task: classes (n,), -1 where one is missing; numbers (n,), NaN where one is missing.

    Labels of targets that do not fit the task are missing.

    Raises:
        DataError: One of another domain does not fit it.
    """
    where, strict = f"data {description.name}/{name}", name not in description.targets
    return {
        task: _label(where, asked, own.labels.get(task), len(own), strict) for task, asked in description.tasks.items()
    }


def unfit(asked: Asked, found: pl.Series) -> pl.Series:
    """Which labels (n,) are there and are no numbers, or none of the task's classes."""
    if asked.kind == "regression":
        return found.is_not_null() & as_numbers(found).is_null()
    return ~respelled(found, asked.classes).fill_null("").is_in(["", *asked.classes])


def _label(where: str, asked: Asked, found: pl.Series | None, n: int, strict: bool) -> np.ndarray:
    numbers = asked.kind == "regression"
    if found is None:
        return np.full(n, np.nan) if numbers else np.full(n, -1, np.int64)
    bad = unfit(asked, found).arg_true()
    if strict and len(bad):
        raise _misfit(where, asked, found, int(bad[0]))
    if numbers:
        return as_numbers(found).fill_null(float("nan")).to_numpy()
    codes = {name: code for code, name in enumerate(asked.classes)}
    return np.asarray([codes.get(cell, -1) for cell in respelled(found, asked.classes).to_list()], np.int64)


def _misfit(where: str, asked: Asked, found: pl.Series, row: int) -> DataError:
    if asked.kind == "regression":
        return DataError(where, f"label {found.name}, row {row} (from 0): no number", found[row], "Mend or empty it.")
    fix = f"Classes are {', '.join(asked.classes[:9])}; list it among them, or leave it empty."
    return DataError(where, f"label {found.name}: not one of the classes", as_text(found)[row], fix)


def _parts(file: str, column: pl.Series) -> np.ndarray:
    found = as_text(column).str.to_lowercase()
    strange = found.filter(~found.is_in(list(PARTS)) | found.is_null())
    if len(strange):
        raise DataError(file, f"column {column.name} must say train, validation or test", strange[0], "Mend it.")
    return np.asarray(found.to_list())
