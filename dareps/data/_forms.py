"""Datasets whose domains differ in the shape of a row: images beside sequences, for instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from dareps.data._base import Dataset, DomainRows, Fitted

if TYPE_CHECKING:
    import numpy as np


class FormedSet(Dataset, abstract=True):
    """Domains with rows of forms of their own, which go into the network flattened, zeros behind the shorter ones."""

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Domain -> smallest and largest value that a row can hold, where that is known."""

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Nothing is fitted: rows go in with the values that they have."""
        return self.restore({})

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that flattens rows of each domain's form and fills them up to the width of the widest."""
        from dareps.data._packed import Packed

        return Fitted(state, Packed(self.name, self.forms, self.limits))

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' values and labels."""
        from dareps.data._roots import digest_of

        return digest_of(*(array for domain in domains for array in self.rows(domain).arrays()))
