"""Arrays in memory as a dataset of two sides."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import numpy as np

from dareps.data._base import Dataset, DomainRows, Fitted, Origin
from dareps.data._roots import digest_of
from dareps.data.own._channels import fit_channels, restore_channels
from dareps.data.own._columns import fit_columns, restore_columns
from dareps.data.own.dataset import defaults_of
from dareps.types import Task

TaskKindName = Literal["classification", "regression"]
NAME: Final = "in_memory"
TASK: Final = "y"
SOURCE: Final = "source"
TARGET: Final = "target"


class InMemory(Dataset, abstract=True):
    """Rows of both sides as they were given: tables are imputed and scaled, everything else scaled by channel."""

    domains = (SOURCE, TARGET)
    origin = Origin("arrays in memory", "the user's", "none")
    arrays: ClassVar[Mapping[str, tuple[np.ndarray, np.ndarray]]]

    def rows(self, domain: str) -> DomainRows:
        """Raw rows and labels."""
        x, y = self.arrays[domain]
        return DomainRows(x, {TASK: y})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Fit medians and scales on source and target rows."""
        x = {**{domain: rows.x for domain, rows in source.items()}, **target_x}
        first = next(iter(x.values()))
        if first.ndim > 2:
            return fit_channels(f"data {NAME}", x)
        return fit_columns(f"data {NAME}", [0] * (first.shape[1] // 2), x)

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        restored = restore_columns if "medians" in state else restore_channels
        return restored(f"data {NAME}", state)

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of rows and labels."""
        return digest_of(*(array for domain in domains for array in self.arrays[domain]))


def in_memory(sides: Mapping[str, tuple[np.ndarray, np.ndarray]], classes: tuple[str, ...]) -> type[InMemory]:
    """The dataset of these rows, registered in place of an earlier one.

    Args:
        sides: `source` and `target` -> raw rows (n, *shape) and labels (n,).
        classes: Names of the classes; empty for numbers.
    """
    kind: TaskKindName = "classification" if classes else "regression"
    dimensions = sides[SOURCE][0].ndim
    names: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": NAME,
        "name": NAME,
        "tasks": (Task(TASK, kind, max(len(classes), 1), classes),),
        "arrays": sides,
        "defaults": defaults_of("rows" if dimensions == 2 else "series" if dimensions == 3 else "images"),
    }
    made: type[InMemory] = types.new_class(NAME, (InMemory,), exec_body=lambda space: space.update(names))
    return made


def raw_rows(x: np.ndarray) -> np.ndarray:
    """Rows (n, d) with marks of missing values (n, 2 d); rows of more dimensions as they are."""
    if x.ndim > 2:
        return x
    missing = ~np.isfinite(x)
    return np.concatenate([np.where(missing, 0.0, x), missing], axis=1)
