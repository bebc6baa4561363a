"""Rows of a domain as its description has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dareps.data._base import DomainRows
from dareps.data.own._columns import Column, encode
from dareps.data.own._images import read_images
from dareps.data.own._kinds import as_numbers, as_text
from dareps.data.own._reading import Arrays, read
from dareps.data.own.description import Asked, Description, Place, Wanted
from dareps.errors import DataError

if TYPE_CHECKING:
    import polars as pl

PARTS: Final = ("train", "validation", "test")
KEPT: Final = 8
"""So many files stay read: as many as a suite usually has domains."""


def contents(path: Path, side: int) -> pl.DataFrame | Arrays:
    """What a file or folder holds; read once while it stays as it is."""
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _contents(path, side, stamp)


@lru_cache(maxsize=KEPT)
def _contents(path: Path, side: int, stamp: int) -> pl.DataFrame | Arrays:
    return read_images(path, side) if path.is_dir() else read(path)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of one file that belong to a domain: inputs as read, and columns or arrays that may be labels."""

    inputs: pl.DataFrame | np.ndarray
    labels: Mapping[str, pl.Series]
    parts: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs)


def loaded(name: str, place: Place, file: str, side: int) -> Loaded:
    """The rows of a domain in one of its files.

    Raises:
        DataError: The file cannot be read, or has no row of the domain.
    """
    import polars as pl

    found = contents(Path(file), side)
    if isinstance(found, Arrays):
        if place.column or place.part:
            raise DataError(file, "only tables have columns that say domain or part", place.column or place.part, "")
        flat = {key: own for key, own in found.others.items() if own.ndim == 1 or own.shape[1:] == (1,)}
        return Loaded(found.x, {key: pl.Series(key, own.reshape(-1)) for key, own in flat.items()})
    for column in (place.column, place.part):
        if column and column not in found.columns:
            raise DataError(file, "the table lacks a column", column, f"It has {', '.join(found.columns)}.")
    if place.column:
        wanted = place.value or name
        rows = found.filter(as_text(found[place.column]) == wanted)
        if rows.height == 0:
            known = ", ".join(sorted(as_text(found[place.column]).drop_nulls().unique().to_list())[:9])
            raise DataError(file, f"no row has this in column {place.column}", wanted, f"There are {known}.")
        found = rows
    parts = None if not place.part else _parts(file, found[place.part])
    inputs = found.drop([column for column in (place.column, place.part) if column])
    return Loaded(inputs, {column: inputs[column] for column in inputs.columns}, parts)


def domain_rows(description: Description, name: str) -> DomainRows:
    """A domain's rows, raw, with the labels of all tasks.

    Raises:
        DataError: They are not as described.
    """
    place = description.domains[name]
    own = loaded(name, place, place.file, description.side)
    x, y = raw(description, name, own), labels(description, name, own)
    if place.test:
        test = loaded(name, place, place.test, description.side)
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
                where, "expected arrays, found a table", description.form or "", "Give all domains one form."
            )
        return encode(where, own.inputs, columns_of(description))
    x = own.inputs
    if description.form == "table":
        raise DataError(where, "expected a table, found arrays", x.shape, "Give all domains one form.")
    if description.form == "rows":
        missing = ~np.isfinite(x.astype(np.float64))
        return np.concatenate([np.where(missing, 0.0, x), missing], axis=1)
    return x


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
    """Labels by task: classes (n,), -1 where one is missing; numbers (n,), NaN where one is missing."""
    return {
        task: _label(f"data {description.name}/{name}", asked, own.labels.get(task), len(own))
        for task, asked in description.tasks.items()
    }


def _label(where: str, asked: Asked, found: pl.Series | None, n: int) -> np.ndarray:
    if asked.kind == "regression":
        if found is None:
            return np.full(n, np.nan)
        numbers = as_numbers(found)
        bad = (found.is_not_null() & numbers.is_null()).arg_true()
        if len(bad):
            row = int(bad[0])
            raise DataError(where, f"label {found.name}, row {row + 1}: no number", found[row], "Mend or empty it.")
        return numbers.fill_null(float("nan")).to_numpy()
    if found is None:
        return np.full(n, -1, np.int64)
    codes = {name: code for code, name in enumerate(asked.classes)}
    text = as_text(found).to_list()
    strange = next((cell for cell in text if cell not in (None, "") and cell not in codes), None)
    if strange is not None:
        fix = f"Classes are {', '.join(asked.classes[:9])}; list it among them, or leave it empty."
        raise DataError(where, f"label {found.name}: not one of the classes", strange, fix)
    return np.asarray([codes.get(cell, -1) for cell in text], np.int64)


def _parts(file: str, column: pl.Series) -> np.ndarray:
    found = as_text(column).str.to_lowercase()
    strange = found.filter(~found.is_in(list(PARTS)) | found.is_null())
    if len(strange):
        raise DataError(file, f"column {column.name} must say train, validation or test", strange[0], "Mend it.")
    return np.asarray(found.to_list())
