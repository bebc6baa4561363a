"""The representation family: input rows mapped by what unlabelled rows of both domains teach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    import numpy as np

    State = Mapping[str, np.ndarray]


class Representation(Plugin, family="representation"):
    """A map of input rows (n, d) to rows (n, k), fitted once per split on rows without labels."""

    def fit(self, x: np.ndarray) -> State:
        """Arrays that the map needs, from source and unlabelled target train rows x (n, d) float32."""
        raise ContractError(f"representation {type(self).name}", "it has no fit()", fix="Define fit(x).")

    def __call__(self, x: np.ndarray, state: State) -> np.ndarray:
        """Rows (m, k) float32 of any rows x (m, d), train rows or not; x is left alone."""
        raise ContractError(f"representation {type(self).name}", "it has no __call__", fix="Define it.")
