"""Two overlaid digits per image, as in the multi-task literature; see `dareps.data.multi_mnist.MultiMnist`."""

from __future__ import annotations

import numpy as np

from dareps.data._draws import generator
from dareps.data._images import SIDE, DomainPart, read_domain
from dareps.data._roots import built_rows, digest_of

VERSION = 1
CANVAS = 36
CHUNK = 4000
_UNIT = 14
"""Weights of the reduction from 36 to 28 are whole multiples of a fourteenth."""


def read_pairs(dataset: str, part: DomainPart) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Pixels (n, 1, 28, 28) uint8, and `left` and `right` digits (n,) int64, of the train or test rows."""
    digits, labels = read_domain("mnist", dataset, part)
    partner = partners(len(digits), part)
    name = f"multi_mnist-{VERSION}-{part}-{digest_of(digits)}.npy"
    x = built_rows(name, digits.shape, lambda: overlaid(digits, digits[partner]))
    return x, {"left": labels, "right": labels[partner]}


def partners(count: int, part: str) -> np.ndarray:
    """Which digit stands on the right of each, (n,): a keyed permutation, so every digit is right once."""
    return generator("multi_mnist", VERSION, part).permutation(count)


def overlaid(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The larger of two digits (n, 1, 28, 28) at the corners of a 36x36 canvas, reduced to 28x28: uint8."""
    starts = range(0, len(left), CHUNK)
    return np.concatenate([_overlaid(left[i : i + CHUNK, 0], right[i : i + CHUNK, 0]) for i in starts])[:, None]


def _overlaid(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    canvas = np.zeros((len(left), CANVAS, CANVAS), dtype=np.float32)
    canvas[:, :SIDE, :SIDE] = left
    corner = canvas[:, CANVAS - SIDE :, CANVAS - SIDE :]
    np.maximum(corner, right, out=corner)
    weights = _reduction()
    # Whole numbers below 2^24: single precision adds them exactly, so every machine rounds alike.
    sums = (weights @ canvas @ weights.T).astype(np.int64)
    pixels: np.ndarray = (sums + _UNIT**2 // 2) // _UNIT**2
    return pixels.astype(np.uint8)


def _reduction() -> np.ndarray:
    """Bilinear weights in fourteenths, corners not aligned: (28, 36) float32."""
    # Pixel i of 28 has its centre at (9 (2 i + 1) - 7) / 14 of 36.
    places = 9 * (2 * np.arange(SIDE) + 1) - 7
    first, rest = np.divmod(places, _UNIT)
    weights = np.zeros((SIDE, CANVAS), dtype=np.float32)
    weights[np.arange(SIDE), first] = _UNIT - rest
    weights[np.arange(SIDE), first + 1] = rest
    return weights
