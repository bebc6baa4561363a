"""Series and images of numbers: each channel shifted and scaled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dareps.errors import DataError


@dataclass(frozen=True, slots=True)
class Channels:
    """Raw rows (n, c, ...) -> the same float32, channels with mean 0 and deviation 1 over the rows it was fitted to.

    Attributes:
        mean: By channel, (c,); `scale` the reciprocal deviation, 0 for a channel that does not vary.
    """

    where: str
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """The transformed rows."""
        if x.ndim < 3 or x.shape[1] != len(self.mean):
            raise DataError(self.where, f"expected rows of {len(self.mean)} channels", x.shape, "Give (n, c, length).")
        shape = (-1, *(1,) * (x.ndim - 2))
        return np.asarray((x - self.mean.reshape(shape)) * self.scale.reshape(shape), dtype=np.float32)


def fit_channels(scaled: bool, x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state that train rows (n, c, ...) of these domains together give; mean 0 and scale 1 where not `scaled`."""
    rows = [np.moveaxis(own, 1, 0).reshape(own.shape[1], -1).astype(np.float64) for own in x.values()]
    every = np.concatenate(rows, axis=1)
    if not scaled:
        return {"mean": np.zeros(len(every)), "scale": np.ones(len(every))}
    deviation = np.where(every.max(axis=1) > every.min(axis=1), every.std(axis=1), 0.0)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return {"mean": every.mean(axis=1), "scale": scale}
