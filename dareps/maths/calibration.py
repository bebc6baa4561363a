"""How well the confidences of a classifier keep their word, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

BINS: Final = 15
"""Bins of equal width between 0 and 1; as many as in Guo et al., ICML 2017."""

Bins = list[list[float]]
"""A list [number of the bin, rows, rows predicted rightly, sum of confidences] for each bin that has rows."""


def confidence_bins(outputs: np.ndarray, labels: np.ndarray) -> Bins:
    """The largest softmax probability of each row of outputs (n, c), in bins ((k - 1) / 15, k / 15]; labels are (n,).

    Outputs that are not finite have no confidences, and so no bins.
    """
    if not np.isfinite(outputs).all():
        return []
    top = outputs.max(axis=1, keepdims=True)
    confidence = 1 / np.exp(outputs - top).sum(axis=1)
    right = outputs.argmax(axis=1) == labels
    bins = np.ceil(confidence * BINS).astype(np.int64) - 1
    sums = [np.bincount(bins, own, BINS) for own in (np.ones(len(bins)), right, confidence)]
    return [[float(bin_), *(float(own[bin_]) for own in sums)] for bin_ in np.flatnonzero(sums[0])]


def pooled_bins(parts: Sequence[Bins]) -> Bins:
    """The bins of all rows together, from those of disjoint sets of them."""
    found: dict[float, np.ndarray] = {}
    for number, *sums in (row for part in parts for row in part):
        found[number] = found.get(number, np.zeros(3)) + sums
    return [[number, *map(float, found[number])] for number in sorted(found)]


def calibration_error(bins: Bins) -> float:
    """Expected calibration error, sum_k (n_k / n) |accuracy_k - mean confidence_k|, from 0 to 1; NaN without rows.

    Guo, Pleiss, Sun & Weinberger, ICML 2017, eq. 3.
    """
    if not bins:
        return float("nan")
    _, rows, right, confidence = np.array(bins).T
    return float(np.abs(right - confidence).sum() / rows.sum())
