"""The Amazon reviews' svmlight files: parsed once, kept sparse, made dense on demand."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dareps.data._base import DomainRows
from dareps.data._roots import cached_arrays, digest_of, require, stamp, unreadable

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FEATURES = 5000
ROWS = {
    "books": (2000, 4465),
    "dvd": (2000, 3586),
    "electronics": (2000, 5681),
    "kitchen": (2000, 5945),
}
VERSION = 1
Arrays = dict[str, np.ndarray]


def dense_rows(dataset: str, task: str, domain: str) -> DomainRows:
    """A domain's train and official test rows as dense float32 counts."""
    (x, y), (test_x, test_y) = (_matrix(arrays) for arrays in _domain(dataset, domain))
    return DomainRows(x.toarray(), {task: y}, test_x.toarray(), {task: test_y})


def domain_checksum(dataset: str, domains: tuple[str, ...]) -> str:
    """Digest of the parsed files of these domains."""
    parts = [_part_checksum(*_identity(dataset, domain, part)) for domain in domains for part in ("train", "test")]
    return digest_of(np.array(parts))


def _domain(dataset: str, domain: str) -> tuple[Arrays, Arrays]:
    train, test = (_parsed(*_identity(dataset, domain, part)) for part in ("train", "test"))
    return train, test


def _identity(dataset: str, domain: str, part: str) -> tuple[str, Path, str, int]:
    path = require(f"amazon_reviews/{domain}_{part}.svmlight", dataset)
    return dataset, path, stamp(path), ROWS[domain][part == "test"]


@lru_cache(maxsize=8)
def _parsed(dataset: str, path: Path, key: str, count: int) -> Arrays:
    return cached_arrays(f"{dataset}-{VERSION}-{key}", lambda: _parse(dataset, path, count))


@lru_cache(maxsize=8)
def _part_checksum(dataset: str, path: Path, key: str, count: int) -> str:
    arrays = _parsed(dataset, path, key, count)
    return digest_of(*(arrays[name] for name in sorted(arrays)))


def _parse(dataset: str, path: Path, count: int) -> Arrays:
    """The file's matrix in compressed rows, with labels -1 and 1 as 0 and 1."""
    from sklearn.datasets import load_svmlight_file

    try:
        x, y = load_svmlight_file(str(path), n_features=FEATURES, zero_based=True, dtype=np.float32)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise unreadable(path, dataset, error) from error
    if x.shape[0] != count:
        raise unreadable(path, dataset, f"{count} rows expected, {x.shape[0]} found")
    if not np.isin(y, (-1, 1)).all():
        raise unreadable(path, dataset, f"labels must be -1 or 1, found {np.unique(y).tolist()[:5]}")
    return {"data": x.data, "indices": x.indices, "indptr": x.indptr, "y": (y > 0).astype(np.int64)}


def _matrix(arrays: Arrays) -> tuple[csr_matrix, np.ndarray]:
    from scipy import sparse

    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    return sparse.csr_matrix(parts, shape=(len(arrays["y"]), FEATURES)), arrays["y"]
