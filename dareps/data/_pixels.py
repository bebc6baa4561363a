"""Images that go into the network as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dareps.data._lazy import LazyRows
from dareps.errors import DataError


@dataclass(frozen=True, slots=True)
class Pixels:
    """Bytes (n, *shape) -> a copy of them.

    Attributes:
        dataset: Whose rows these are, for errors.
        shape: (channels, height, width).
    """

    dataset: str
    shape: tuple[int, int, int]

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """Check and copy, since raw rows are kept for later splits; raises `DataError` for other rows.

        Rows that are read when they are asked for stay so: every reading is a copy.
        """
        if x.dtype != np.uint8 or x.shape[1:] != self.shape:
            fix = f"Give uint8 pixels from 0 to 255 as (n, {', '.join(map(str, self.shape))})."
            raise DataError(f"data {self.dataset}/{domain}", "not its rows", (str(x.dtype), x.shape), fix)
        return x if isinstance(x, LazyRows) else np.array(x)
