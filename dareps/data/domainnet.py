"""DomainNet: six domains of 345 classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dareps.data._base import DomainRows, Origin
from dareps.data._domainnet_classes import CLASSES
from dareps.data._photographs import PUBLISHED, Photographs, placed
from dareps.types import Task

if TYPE_CHECKING:
    from pathlib import Path

    from dareps.data._photo_files import Listed

_COUNTS = {
    "clipart": 48129,
    "infograph": 51605,
    "painting": 72266,
    "quickdraw": 172500,
    "real": 172947,
    "sketch": 69128,
}


class DomainNet(Photographs):
    """Things of 345 classes as `clipart`, `infograph`, `painting`, `quickdraw`, `real` and `sketch`, 586575 images.

    The cleaned version. Rows are those of the official lists of train and test images, DOMAIN_train.txt and
    DOMAIN_test.txt, beside the domains or in the folder image_list: these are the official test rows.
    """

    name = "domainnet"
    domains = tuple(_COUNTS)
    tasks = (Task("object", "classification", 345, CLASSES),)
    files = tuple(placed(f"domainnet/{own}", f"domain_net/{own}", count=count) for own, count in _COUNTS.items())
    by_hand = (
        "Get clipart.zip and painting.zip from http://csr.bu.edu/ftp/visda/2019/multi-source/groundtruth/,\n"
        "infograph.zip, quickdraw.zip, real.zip and sketch.zip from the folder above it, and for each the lists\n"
        "DOMAIN_train.txt and DOMAIN_test.txt from http://csr.bu.edu/ftp/visda/2019/multi-source/domainnet/txt/.\n"
        "Unpack all in the folder domainnet below a data root: domainnet/clipart/aircraft_carrier/...,\n"
        "domainnet/clipart_train.txt and so on."
    )
    origin = Origin(
        "DomainNet (Peng et al.), distributed by its authors, cleaned version",
        "fair use, for research",
        "Peng et al., Moment Matching for Multi-Source Domain Adaptation, ICCV 2019",
    )
    defaults: ClassVar[Mapping[str, Any]] = PUBLISHED

    def rows(self, domain: str) -> DomainRows:
        """Pixels and classes of the images of the domain's two lists."""
        from dareps.data._photo_files import rows_of

        train, test = (self._listed(domain, part) for part in self.parts())
        x, test_x = rows_of(train, self.side), rows_of(test, self.side)
        return DomainRows(x, {"object": train.labels}, test_x, {"object": test.labels})

    def parts(self) -> tuple[str, ...]:
        """Train and test."""
        return ("train", "test")

    def _listed(self, domain: str, part: str) -> Listed:
        from dareps.data._photo_files import by_list

        where = f"data {self.name}/{domain}"
        return by_list(self._folder(domain), self._listing(domain, part), CLASSES, where)

    def _listing(self, domain: str, part: str) -> Path:
        from dareps.data._roots import require

        folder, name = self._folder(domain).parent, f"{domain}_{part}.txt"
        found = [path for path in (folder / name, folder / "image_list" / name) if path.is_file()]
        return found[0] if found else require(f"domainnet/{name}", self.name)
