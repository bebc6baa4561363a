"""A dataset made of given arrays, outside the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dareps.data._base import Dataset, DomainRows, Fitted
from dareps.data._feature_set import FeatureSet
from dareps.types import Task


class Drawn(Dataset, abstract=True):
    name: ClassVar[str] = "drawn"
    domains = ("a", "b", "c")
    tasks = (Task("kind", "classification", 3),)
    given: ClassVar[Mapping[str, DomainRows]] = {}

    def rows(self, domain: str) -> DomainRows:
        return self.given[domain]

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        return Fitted({}, lambda x, domain: x.astype(np.float32))

    def checksum(self, domains: tuple[str, ...]) -> str:
        return "+".join(domains)


class Counts(FeatureSet, abstract=True):
    name: ClassVar[str] = "counts"
    domains = ("a", "b", "c")
    tasks = (Task("kind", "classification", 2),)


def drawn(**given: DomainRows) -> type[Drawn]:
    """A dataset class that serves these rows."""

    class Given(Drawn, abstract=True):
        pass

    Given.given = given
    return Given


def numbered(y: list[int] | np.ndarray, start: int = 0, test: int = 0) -> DomainRows:
    """Rows whose only feature is their own number, so that every row can be told wherever it turns up."""
    labels = np.asarray(y)
    x = np.arange(start, start + len(labels), dtype=np.float32)[:, None]
    if not test:
        return DomainRows(x, {"kind": labels})
    test_x = np.arange(start + len(labels), start + len(labels) + test, dtype=np.float32)[:, None]
    return DomainRows(x, {"kind": labels}, test_x, {"kind": np.zeros(test, dtype=np.int64)})
