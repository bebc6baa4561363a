"""Rows that are read when they are asked for, in place of arrays that would not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast, overload

import numpy as np

BYTES: Final = np.dtype(np.uint8)


class Store(Protocol):
    """Where rows of bytes come from: a mapped file, or images that are decoded each time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, *row)."""

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """The rows with these numbers (k,), as (k, *row) uint8."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Rows of an array, usually one that is mapped from a file."""

    array: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, *row)."""
        return self.array.shape

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """A copy of some rows."""
        return np.asarray(self.array[numbers])


class LazyRows:
    """Some rows of a store, in some order: looks like an array (k, *row) of bytes, and becomes one when numpy asks.

    A number gives a row; a slice, a mask or numbers give further lazy rows, without reading any.

    Args:
        store: Where rows come from.
        numbers: Which rows, (k,).
    """

    dtype = BYTES

    def __init__(self, store: Store, numbers: np.ndarray) -> None:
        self.store, self.numbers = store, numbers

    @property
    def shape(self) -> tuple[int, ...]:
        """(k, *row)."""
        return (len(self.numbers), *self.store.shape[1:])

    @property
    def ndim(self) -> int:
        """One more than a row has."""
        return len(self.store.shape)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> np.ndarray: ...
    @overload
    def __getitem__(self, key: slice | np.ndarray | Sequence[int]) -> LazyRows: ...
    def __getitem__(self, key: Any) -> np.ndarray | LazyRows:
        chosen = self.numbers[key]
        return self.store.read(chosen[None])[0] if np.ndim(chosen) == 0 else LazyRows(self.store, chosen)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        rows = self.store.read(self.numbers)
        return rows if dtype is None else rows.astype(dtype, copy=False)


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows of several stores of one shape, one behind the other."""

    parts: tuple[LazyRows, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, *row)."""
        return (sum(map(len, self.parts)), *self.parts[0].shape[1:])

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """A copy of some rows."""
        rows = np.empty((len(numbers), *self.shape[1:]), BYTES)
        start = 0
        for part in self.parts:
            own = (numbers >= start) & (numbers < start + len(part))
            rows[own] = np.asarray(part[numbers[own] - start])
            start += len(part)
        return rows


def joined(*parts: np.ndarray) -> np.ndarray:
    """Rows one behind the other, read when they are asked for where all parts are."""
    rows: Sequence[object] = parts
    lazy = tuple(part for part in rows if isinstance(part, LazyRows))
    return np.concatenate(parts) if len(lazy) < len(parts) else lazily(Joined(lazy))


def lazily(store: Store) -> np.ndarray:
    """All rows of a store.

    Typed as the array that it stands for: whoever takes the parts of a split asks an array for its length, shape,
    type, rows by number, and for itself through numpy, and nothing else.
    """
    return cast("np.ndarray", LazyRows(store, np.arange(store.shape[0])))
