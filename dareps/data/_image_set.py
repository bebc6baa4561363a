"""Settings-free parts that image sets share whose rows go into the network as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dareps.data._base import Dataset, DomainRows, Fitted

if TYPE_CHECKING:
    import numpy as np


SMALL_IMAGES: Final[Mapping[str, Any]] = {
    "encoder": {"name": "digit_cnn", "channels": [16, 32], "kernel": 3, "padding": 1, "width": 64},
    "normalise": "per_domain",
    "steps": 600,
    "batch": 64,
    "optimizer": {"name": "adam", "lr": 0.002},
}
"""What fits small drawn images."""


class ImageSet(Dataset, abstract=True):
    """Images of bytes, all of one shape."""

    shape: ClassVar[tuple[int, int, int]]
    """(channels, height, width)."""

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Nothing is fitted: rows go in as they are."""
        return self.restore({})

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that leaves rows as they are and checks their shape."""
        from dareps.data._pixels import Pixels

        return Fitted(state, Pixels(self.name, self.shape))

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' pixels and labels."""
        from dareps.data._roots import digest_of

        return digest_of(*(array for domain in domains for array in self.rows(domain).arrays()))
