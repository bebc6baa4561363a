"""Tables that look like pandas' from outside, as far as the estimator looks: pandas need not be there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class NamedType:
    """A type of a column that is pandas' own."""

    name: str
    kind: str

    def __str__(self) -> str:
        return self.name


class Cells:
    """A column: values, a type, and where they are missing."""

    def __init__(self, values: Sequence[object], dtype: Any) -> None:
        self.values, self.dtype = list(values), dtype

    def isna(self) -> np.ndarray:
        return np.asarray([value is None or value != value for value in self.values])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.values, dtype=dtype if dtype is not None else object)


class Frame:
    """A table with named columns."""

    def __init__(self, columns: Mapping[Hashable, Cells]) -> None:
        self._columns = dict(columns)

    @property
    def columns(self) -> list[Hashable]:
        return list(self._columns)

    @property
    def dtypes(self) -> list[Any]:
        return [own.dtype for own in self._columns.values()]

    def __getitem__(self, name: Hashable) -> Cells:
        return self._columns[name]
