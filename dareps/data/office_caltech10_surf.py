"""Office-Caltech-10 as SURF bags of visual words: the classic benchmark of four domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from dareps.data._base import DomainRows, Origin, RemoteFile
from dareps.data._feature_names import Auto, RowNorm, Transform
from dareps.data._feature_set import FeatureSet
from dareps.types import Task

_URL = (
    "https://raw.githubusercontent.com/jindongwang/transferlearning/"
    "73cb050b7e8b969b9d0ebb04a9377aa033043eb2/code/BDA/data/"
)
_CLASSES = (
    "backpack",
    "bike",
    "calculator",
    "headphones",
    "keyboard",
    "laptop_computer",
    "monitor",
    "mouse",
    "mug",
    "projector",
)


def _file(published: str, domain: str, sha256: str) -> RemoteFile:
    digest, name = f"sha256:{sha256}", "SURF_L10.mat"
    return RemoteFile(f"{_URL}{published}_{name}", f"office_caltech10_surf/{domain}_{name}", digest, digest)


class OfficeCaltech10Surf(FeatureSet):
    """Ten classes of office things in shop photographs, web images and two cameras, as 800 visual word counts.

    amazon 958, caltech 1123, dslr 157 and webcam 295 rows; no official test rows. By default each row is divided by
    its sum and each column standardised within its domain, which is what the published tables do.
    """

    domains = ("amazon", "caltech", "dslr", "webcam")
    tasks = (Task("object", "classification", 10, _CLASSES),)
    files = (
        _file("amazon", "amazon", "df32548b994e18d364c99e1f317e1fae100597259f0423a41b90f4f68187bb1f"),
        _file("Caltech10", "caltech", "4f9334c8ced489d5054de97a5fd51a61f017f3bcd1f38c9a85c6d78cb9d7bda5"),
        _file("dslr", "dslr", "44d673c68e1d07b837893aa74dba3b986e4a6cc3fd66f0dd357683bdef059216"),
        _file("webcam", "webcam", "a6a9c78b4b7181dfbb58bcfd351d4ebd737f171c31247b8884948aa156d3f700"),
    )
    origin = Origin(
        "Office (Saenko et al.) and Caltech-256, SURF features of Gong et al., files published by J. Wang",
        "none stated; for research",
        "Gong et al., Geodesic Flow Kernel, CVPR 2012",
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "mlp", "width": 128},
        "normalise": "joint",
        "steps": 200,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.001},
    }

    transform: Transform | Auto = "counts"
    row_norm: RowNorm | Auto = "l1"
    standardise: Literal["none", "domain"] = "domain"

    def rows(self, domain: str) -> DomainRows:
        """Counts (n, 800) float32 and objects (n,) of a domain."""
        from dareps.data._mat import domain_arrays

        x, y = domain_arrays(self.name, domain)
        return DomainRows(x, {"object": y})

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' counts and labels."""
        from dareps.data._mat import domain_arrays
        from dareps.data._roots import digest_of

        return digest_of(*(array for domain in domains for array in domain_arrays(self.name, domain)))
