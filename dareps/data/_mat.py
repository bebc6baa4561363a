"""Office-Caltech-10 SURF files: Matlab matrices `fts` (n, 800) and `labels` (n, 1), counted from 1."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from dareps.data._roots import require, stamp, unreadable

FEATURES = 800
ROWS = {"amazon": 958, "caltech": 1123, "dslr": 157, "webcam": 295}


def domain_arrays(dataset: str, domain: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts (n, 800) float32 and classes (n,) int64 from 0."""
    path = require(f"office_caltech10_surf/{domain}_SURF_L10.mat", dataset)
    return _read(dataset, path, stamp(path), ROWS[domain])


@lru_cache(maxsize=4)
def _read(dataset: str, path: Path, key: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import loadmat

    try:
        stored = loadmat(path)
        x, y = np.asarray(stored["fts"], dtype=np.float32), np.asarray(stored["labels"]).ravel()
    except Exception as error:
        # The reader lets struct, zlib and index errors of a damaged file through.
        raise unreadable(path, dataset, error) from error
    if x.shape != (count, FEATURES) or y.shape != (count,):
        what = f"fts ({count}, {FEATURES}) and {count} labels expected, {x.shape} and {y.shape} found"
        raise unreadable(path, dataset, what)
    return x, y.astype(np.int64) - 1
