"""The embedded benchmark: rendered digits against scanned handwriting, 8x8, without a download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dareps.data._base import Dataset, DomainRows, Fitted, Origin
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np


class Digits8(Dataset):
    """Digits of 8x8 pixels: `fonts` (rendered from Matplotlib's fonts) and `scans` (UCI handwritten digits).

    Both hold ink shares in steps of 1/16, as (n, 1, 8, 8) float32 in [0, 1]; `fonts` has 1800 rows, `scans` 1797.
    """

    domains = ("fonts", "scans")
    tasks = (Task("digit", "classification", 10, tuple("0123456789")),)
    embedded = True
    origin = Origin(
        "scans: UCI Optical Recognition of Handwritten Digits (in scikit-learn); fonts: drawn from Matplotlib's fonts",
        "scans: CC BY 4.0; fonts: DejaVu, STIX and BaKoMa font licences",
        "Alpaydin & Kaynak, Cascading Classifiers, Kybernetika 34, 1998",
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "digit_cnn", "channels": [16, 32], "kernel": 3, "padding": 1, "width": 64},
        "normalise": "per_domain",
        "steps": 800,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.002},
    }

    def rows(self, domain: str) -> DomainRows:
        """All rows of `fonts` or `scans`; there are no official test rows."""
        from dareps.data._digits8 import domain_arrays

        x, y = domain_arrays(domain)
        return DomainRows(x, {"digit": y})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Nothing is fitted: rows go in as they are."""
        return self.restore({})

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that leaves rows as they are and checks their shape."""
        from dareps.data._digits8 import unchanged

        return Fitted(state, unchanged)

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' pixels and labels."""
        from dareps.data._digits8 import domain_arrays
        from dareps.data._roots import digest_of

        return digest_of(*(array for domain in domains for array in domain_arrays(domain)))
