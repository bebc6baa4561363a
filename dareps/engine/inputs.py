"""Rows on their way into a network: a part of them, blocks that fit into memory, in floating type."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

CHUNK = 1024
"""Most rows per forward pass."""
FEW: Final = 16
"""Least rows of a pass."""
LARGE: Final = 2**25
"""Bytes of floating input that a pass of more rows may have; activations take many times as much."""
SIDE: Final = 64
"""Largest side of images where rows are compared as they are."""


def spaced(count: int, most: int) -> np.ndarray:
    """Row numbers of at most `most` of `count` rows, evenly spaced, so that sorted rows lose no class."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def at_once(row: tuple[int, ...], most: int | None = None, room: int = LARGE) -> int:
    """How many rows of a shape a pass takes: at most `most`, `CHUNK` by default, and fewer of large ones."""
    return max(FEW, min(CHUNK if most is None else most, room // max(1, 4 * math.prod(row))))


def blocks_of(x: np.ndarray) -> Iterator[np.ndarray]:
    """The rows in blocks of as many as a pass takes."""
    count = at_once(x.shape[1:])
    for start in range(0, len(x), count):
        yield x[start : start + count]


def network_input(x: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Rows as the network reads them: floating, images from 0 to 1."""
    rows = torch.from_numpy(np.require(x, requirements=["C", "W"])).to(device)
    return rows.to(dtype) if rows.is_floating_point() else rows.to(dtype) / 255


def shrunk(x: np.ndarray) -> np.ndarray:
    """Images (n, c, h, w) averaged to at most `SIDE` by `SIDE` pixels, float32; others, and other rows, as they are.

    A thousand large ones at once would not fit into memory.
    """
    if x.ndim != 4 or max(x.shape[2:]) <= SIDE:
        return np.asarray(x)
    size = (min(x.shape[2], SIDE), min(x.shape[3], SIDE))
    blocks = [torch.from_numpy(np.array(x[start : start + FEW])).float() for start in range(0, len(x), FEW)]
    return torch.cat([adaptive_avg_pool2d(block, size) for block in blocks]).numpy()
