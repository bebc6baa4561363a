"""How far two samples of rows are apart, without any label: proxy A-distance, and MMD with a permutation test.

At most 500 rows a side are taken by a keyed choice, large images averaged to 64 by 64 pixels, rows flattened, columns
standardised over both sides together, and rows of more than 50 numbers replaced by their first 50 principal components,
again of both sides together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from dareps.data._base import LabelledPart, Part
from dareps.data._lazy import joined
from dareps.engine.inputs import shrunk
from dareps.maths.keys import key_of
from dareps.transfer import proxy_a_distance
from dareps.transfer.relation import Distance

ROWS: Final = 500
"""At most this many rows of a side: half of them teach the classifier of the proxy A-distance, half test it."""
WIDTH: Final = 50
"""Numbers per row that are kept: fewer than the rows that the classifier learns from, so that it does not fit them."""
DIVISIONS: Final = 199
"""Random divisions of the pooled rows, so that the least p is 1/200."""


def distance(source: np.ndarray, target: np.ndarray) -> Distance:
    """How far rows (n, *shape) and (m, *shape) are apart.

    Raises:
        DataError: A side has fewer than two rows, or rows that are not finite.
    """
    import torch

    from dareps.alignment import MMD

    rows = comparable(thinned(source, "source"), thinned(target, "target"))
    mmd = MMD()(*map(torch.from_numpy, rows))
    p = permutation_p(np.concatenate(rows), len(rows[0]))
    counts = len(rows[0]), len(rows[1])
    return Distance(proxy_a_distance(*rows), float(mmd), p, counts, rows[0].shape[1])


def rows_of(parts: Sequence[Part | LabelledPart]) -> np.ndarray:
    """The rows of all parts; lazy ones stay lazy, since only some will be looked at."""
    return joined(*(part.x for part in parts))


def thinned(rows: np.ndarray, *key: object, most: int = ROWS) -> np.ndarray:
    """At most `most` of rows (n, *shape), flattened to (k, d), float64, in an order that is a function of the key."""
    order = np.random.Generator(np.random.Philox(key=key_of("thinned", *key) % 2**64)).permutation(len(rows))
    return shrunk(rows[order[:most]]).reshape(min(len(rows), most), -1).astype(np.float64)


def comparable(source: np.ndarray, target: np.ndarray, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, d) and (m, d) in units of their common spread, in their first principal components where d is large."""
    pooled = np.concatenate([source, target])
    pooled = pooled - pooled[0]  # Exact for columns that do not vary.
    pooled = pooled - pooled.mean(axis=0)
    spread = pooled.std(axis=0)
    pooled = pooled[:, spread > 0] / spread[spread > 0]
    if pooled.shape[1] == 0:
        pooled = np.zeros((len(pooled), 1))
    if pooled.shape[1] > width:
        values, vectors = np.linalg.eigh(pooled @ pooled.T)
        pooled = vectors[:, ::-1][:, :width] * np.sqrt(np.maximum(values[::-1][:width], 0))
    return pooled[: len(source)], pooled[len(source) :]


def permutation_p(pooled: np.ndarray, n: int, divisions: int = DIVISIONS) -> float:
    """The share of random divisions of rows (n + m, d) whose MMD is at least that of the first n against the rest.

    (1 + how many) / (1 + divisions), which is right at any level whatever the rows (Gretton et al., JMLR 2012, section
    8). The MMD is w'K w with w = 1/n on one side and -1/m on the other, so one kernel matrix serves all divisions.
    """
    import torch

    from dareps.maths.kernels import MULTI_KERNELS, centre_, mean_bandwidth, squared_distances

    rows = centre_(torch.from_numpy(np.array(pooled, dtype=np.float64)))
    kernel = MULTI_KERNELS["gaussian"].value(squared_distances(rows), mean_bandwidth(rows)).numpy()
    weights = np.where(np.arange(len(pooled)) < n, 1 / n, -1 / (len(pooled) - n))
    draw = np.random.Generator(np.random.Philox(key=key_of("permutations", len(pooled)) % 2**64))
    drawn = np.stack([weights, *(draw.permutation(weights) for _ in range(divisions))])
    found = ((drawn @ kernel) * drawn).sum(axis=1)
    rounding = 64 * np.finfo(float).eps * np.abs(kernel).max()
    return float((1 + (found[1:] >= found[0] - rounding).sum()) / (1 + divisions))
