"""Rows that occur twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np


def marks(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """For each piece of raw rows (n, *shape) a number of 64 bits a row, the same for rows that are the same.

    Two rows that differ have one number by chance in 1 of 2^64 cases; it holds within a process.
    """
    for piece in pieces:
        rows = np.ascontiguousarray(piece).reshape(len(piece), -1)
        yield np.fromiter((hash(row.tobytes()) for row in rows), np.int64, len(rows))


def shared_rows(source: Iterable[np.ndarray], target: Iterable[np.ndarray]) -> tuple[int, int, int]:
    """How many target rows are source rows too, how many are one another's doubles, and how many there are.

    Args:
        source: Marks of the rows of all sources, in pieces.
        target: Marks of the target's.
    """
    none = np.empty(0, np.int64)
    known, own = np.concatenate([none, *source]), np.concatenate([none, *target])
    return int(np.isin(own, known).sum()), len(own) - len(np.unique(own)), len(own)


def told_rows(target: str, both: int, doubles: int, count: int) -> list[str]:
    """A sentence for each that is not nothing."""
    texts = []
    if both:
        texts.append(
            f"{both} of {count} rows of {target} are rows of the source as well, whose labels were learned: figures on "
            "them say nothing of new rows."
        )
    if doubles > count // 20:
        texts.append(f"{doubles} of {count} rows of {target} occur more than once.")
    return texts
