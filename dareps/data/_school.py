"""The ILEA School file: 139 tables of pupils, and the measure that tables of it print."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from dareps.data._draws import generator
from dareps.data._roots import digest_of, require, stamp, unreadable

FILE = "school/school.mat"
SCHOOLS, PUPILS, COLUMNS = 139, 15362, 28
Pupils = tuple[np.ndarray, np.ndarray]


def explained_variance(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Percentage of explained variance over the test pupils of all schools together: 100 (1 - MSE / variance).

    Bakker & Heskes (JMLR 4, 2003) and Argyriou, Evgeniou & Pontil (Machine Learning 73, 2008)
    use it; it is R2 on the pooled rows, not the mean of each school's, which may be far below it.

    Args:
        truth: Scores (n,) of all test pupils.
        predicted: What was predicted for them, (n,).
    """
    return float(100 * (1 - np.mean((truth - predicted) ** 2) / np.var(truth)))


def schools(dataset: str) -> tuple[Pupils, ...]:
    """Columns (n, 28) float32 and scores (n,) float64 of each school, in the file's order."""
    path = require(FILE, dataset)
    return _read(dataset, path, stamp(path))


def cut(count: int, share: float, *key: object) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the pupils that stay and of the share that is held out, each in order; at least one of either."""
    order = generator("school", *key).permutation(count)
    held = min(count - 1, max(1, round(share * count)))
    return np.sort(order[held:]), np.sort(order[:held])


def checksum(dataset: str) -> str:
    """Digest of the whole file's columns and scores."""
    return digest_of(*(array for pupils in schools(dataset) for array in pupils))


@lru_cache(maxsize=1)
def _read(dataset: str, path: Path, key: str) -> tuple[Pupils, ...]:
    from scipy.io import loadmat

    try:
        stored = loadmat(path)
        cells = zip(stored["X"].ravel(), stored["Y"].ravel(), strict=True)
        found = tuple((np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float64).ravel()) for x, y in cells)
    except Exception as error:
        # The reader lets struct, zlib and index errors of a damaged file through.
        raise unreadable(path, dataset, error) from error
    rows = [(x.shape[1:], len(x) == len(y)) for x, y in found]
    if len(found) != SCHOOLS or set(rows) != {((COLUMNS,), True)} or sum(len(y) for _, y in found) != PUPILS:
        what = f"{SCHOOLS} schools of {PUPILS} pupils with {COLUMNS} columns expected, {len(found)} schools found"
        raise unreadable(path, dataset, what)
    return found
