"""Arrays in memory as a dataset of two sides."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import numpy as np

from dareps.data._base import Dataset, DomainRows, Fitted, Origin
from dareps.data._roots import digest_of
from dareps.data.own import _fits
from dareps.data.own._columns import Column, layout
from dareps.data.own.dataset import defaults_of
from dareps.data.own.description import Form
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
    columns: ClassVar[tuple[Column, ...]]

    def rows(self, domain: str) -> DomainRows:
        """Raw rows and labels."""
        x, y = self.arrays[domain]
        return DomainRows(x, {TASK: y})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Fit medians, scales and which categories there are on source and target rows."""
        x = {**{domain: rows.x for domain, rows in source.items()}, **target_x}
        return _fits.fit(f"data {NAME}", self.columns, _fits.PLAIN, x, TARGET)

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        return _fits.restore(f"data {NAME}", [own.name for own in self.columns], state)

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of rows and labels."""
        return digest_of(*(array for domain in domains for array in self.arrays[domain]))


def in_memory(
    sides: Mapping[str, tuple[np.ndarray, np.ndarray]], classes: tuple[str, ...], columns: tuple[Column, ...] = ()
) -> type[InMemory]:
    """The dataset of these rows, registered in place of an earlier one.

    Args:
        sides: `source` and `target` -> raw rows (n, *shape) and labels (n,).
        classes: Names of the classes; empty for numbers.
        columns: What columns of tables are; none means numbers.
    """
    kind: TaskKindName = "classification" if classes else "regression"
    dimensions = sides[SOURCE][0].ndim
    columns = columns or (_numbers([x for x, _ in sides.values()]) if dimensions == 2 else ())
    form: Form = "rows" if dimensions == 2 else "series" if dimensions == 3 else "images"
    names: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": NAME,
        "name": NAME,
        "tasks": (Task(TASK, kind, max(len(classes), 1), classes),),
        "arrays": sides,
        "columns": columns,
        "layout": layout(columns),
        "defaults": defaults_of(form),
    }
    made: type[InMemory] = types.new_class(NAME, (InMemory,), exec_body=lambda space: space.update(names))
    return made


def _numbers(sides: Sequence[np.ndarray]) -> tuple[Column, ...]:
    """Columns of raw rows (n, 2 d) of numbers, marked where one has gaps."""
    gaps = np.any([x[:, x.shape[1] // 2 :].any(axis=0) for x in sides], axis=0)
    return tuple(Column(f"column {place + 1}", marked=bool(gap)) for place, gap in enumerate(gaps))


def raw_rows(x: np.ndarray) -> np.ndarray:
    """Rows (n, d) with marks of missing values (n, 2 d); rows of more dimensions as they are."""
    if x.ndim > 2:
        return x
    missing = ~np.isfinite(x)
    return np.concatenate([np.where(missing, 0.0, x), missing], axis=1)
