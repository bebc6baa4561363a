"""Series that go into the network as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dareps.data._checks import check_finite
from dareps.errors import DataError


@dataclass(frozen=True, slots=True)
class Series:
    """Rows (n, *shape) -> a copy of them in float32.

    Attributes:
        dataset: Whose rows these are, for errors.
        shape: (channels, length).
    """

    dataset: str
    shape: tuple[int, int]

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """Check and copy, since raw rows are kept for later splits; raises `DataError` for other rows."""
        where = f"data {self.dataset}/{domain}"
        if x.dtype.kind not in "fiu" or x.shape[1:] != self.shape:
            fix = f"Give series of numbers as (n, {', '.join(map(str, self.shape))})."
            raise DataError(where, "not its rows", (str(x.dtype), x.shape), fix)
        check_finite(where, x)
        return np.array(x, dtype=np.float32)
