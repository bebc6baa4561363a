"""All rows of a file as raw rows, a piece after another, so that files of any length fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from dareps.data.own._arrays import Arrays
from dareps.data.own._columns import UNKNOWN
from dareps.data.own._images import read_images
from dareps.data.own._kinds import as_text
from dareps.data.own._reading import is_table, read
from dareps.data.own._rows import Loaded, columns_of, loaded, of_arrays, of_table, raw
from dareps.data.own._tables import EVEN, TOGETHER, Table, batches, even
from dareps.data.own.description import Description, Place
from dareps.errors import DataError

BYTES: Final = 2**27
"""Of raw rows that are handled together, about."""


def every_row(description: Description, name: str) -> Iterator[np.ndarray]:
    """Raw rows of a domain's file in its order, those included that nothing is learned from.

    Raises:
        DataError: They are not as described.
    """
    place = description.domains[name]
    own = loaded(name, description, place.file)
    return pieces(description, name, place) if own.thinned else iter((raw(description, name, own),))


def longer(description: Description, name: str) -> bool:
    """Whether a domain's file has rows that nothing is learned from."""
    return loaded(name, description, description.domains[name].file).thinned


def pieces(description: Description, name: str, place: Place) -> Iterator[np.ndarray]:
    """Raw rows of a place, as if it were this domain's.

    Raises:
        DataError: It cannot be read, or its rows are not as described.
    """
    path = Path(place.file)
    for own in _tables(name, place, path) if is_table(path) else _arrays(description, place, path):
        if len(own):
            yield raw(description, name, own)


def strange_rows(description: Description, path: Path) -> Iterator[np.ndarray]:
    """Raw rows of a file that the description does not name, as if they were the last domain's.

    Warns of categories that have no place of their own, and of a shape that was not there in training.

    Raises:
        DataError: They are not as described.
    """
    name = list(description.domains)[-1]
    columns = columns_of(description)
    unknown, count = np.zeros(len(columns), np.int64), 0
    try:
        for piece in pieces(description, name, Place(file=str(path))):
            if description.form != "images" and piece.shape[1:] != tuple(description.shape) and count == 0:
                told = " x ".join(map(str, piece.shape[1:])), " x ".join(map(str, description.shape))
                warnings.warn(f"{path}: rows are {told[0]}, those of training were {told[1]}.", stacklevel=2)
            if description.form == "table":
                unknown += (piece[:, : len(columns)] == UNKNOWN).sum(axis=0)
            count += len(piece)
            yield piece
    except DataError as error:
        where = error.where.replace(f"data {description.name}/{name}", str(path))
        raise DataError(where, error.what, error.value, error.fix) from None
    for column, rows in zip(columns, unknown, strict=True):
        if column.categories and rows:
            what = f"{rows:,} of {count:,} rows have a category without a place of its own; such share one"
            warnings.warn(f"{path}: column {column.name}: {what}.", stacklevel=2)


def _tables(name: str, place: Place, path: Path) -> Iterator[Loaded]:
    start = 0
    for frame in even(batches(path)):
        numbers = np.arange(start, start + frame.height)
        start += frame.height
        if place.column:
            here = (as_text(frame[place.column]) == (place.value or name)).fill_null(value=False)
            frame, numbers = frame.filter(here), numbers[here.to_numpy()]
        yield of_table(Table(frame, frame.height, numbers), place, place.file)


def _arrays(description: Description, place: Place, path: Path) -> Iterator[Loaded]:
    found = read_images(path, description.side) if path.is_dir() else read(path)
    assert isinstance(found, Arrays)
    size = max(found.x[:1].nbytes * 4, 1)
    step = min(max(BYTES // size // EVEN, 1) * EVEN, TOGETHER)
    for start in range(0, len(found.x), step):
        yield of_arrays(Arrays(found.x[start : start + step]), place, place.file)
