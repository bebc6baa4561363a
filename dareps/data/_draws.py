"""Keyed draws of data that the package makes itself: each is a pure function of the names given."""

from __future__ import annotations

import numpy as np

from dareps.maths.keys import key_of


def generator(*key: object) -> np.random.Generator:
    """The same stream of draws for the same key on every machine."""
    return np.random.Generator(np.random.Philox(key=key_of(*key) % 2**64))


def uniform(count: int, width: int, *key: object) -> np.ndarray:
    """Uniform on [0, 1) as (width, count); the first rows stay the same when `count` grows."""
    return generator(*key).random((count, width)).T


def strata(groups: np.ndarray, *key: object) -> np.ndarray:
    """A place in (0, 1) for each row, (n,): in random order, but at even distances within each group.

    So a share of [0, 1] holds its share of every group, to one row.

    Args:
        groups: Number of each row's group, (n,).
        key: What the order depends on.
    """
    order = generator(*key).permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    sorted_groups = groups[order]
    first = np.searchsorted(sorted_groups, sorted_groups)
    sizes = np.searchsorted(sorted_groups, sorted_groups, side="right") - first
    places = np.empty(len(groups))
    places[order] = (np.arange(len(groups)) - first + 0.5) / sizes
    return places


def kept(labels: np.ndarray, share: float, missing: float, *key: object) -> np.ndarray:
    """Labels (n,) of which a share stays and the others are `missing`; what stays at one share stays at larger ones.

    Whole numbers are classes, of each of which the same share stays.
    """
    groups = labels if labels.dtype.kind == "i" else np.zeros(len(labels), dtype=np.int64)
    return np.where(strata(groups, "labels", *key) < share, labels, np.array(missing, dtype=labels.dtype))
