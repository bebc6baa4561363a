"""Settings and parts that all sets of photographs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from dareps.data._base import Dataset, DomainRows, Fitted, RemoteFile
from dareps.data._frame import Frame

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from dareps.data._photo_files import Listed

Scaled = Literal["imagenet", "unit"]
IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation by channel, of pixels from 0 to 1, that networks were pretrained with."""
PUBLISHED: Final[Mapping[str, Any]] = {
    "encoder": {"name": "torchvision", "model": "resnet50", "weights": "IMAGENET1K_V1", "width": 256},
    "normalise": "per_domain",
    "steps": 10000,
    "batch": 32,
    "optimizer": {"name": "sgd", "lr": 0.005, "momentum": 0.9, "weight_decay": 0.001},
}
"""What published comparisons of full-size photographs train with, weights aside."""


def named(text: str) -> tuple[str, ...]:
    """The words of a text: names of classes."""
    return tuple(text.split())


def placed(folder: str, *others: str, count: int) -> RemoteFile:
    """A folder of images that people place by hand, and other names that it may have."""
    return RemoteFile("", folder, kind="folder", count=count, others=others)


def frame_of(crop: int | None, pixels: Scaled) -> Frame:
    """The middle of an image, scaled."""
    return Frame(crop, *IMAGENET) if pixels == "imagenet" else Frame(crop)


class Photographs(Dataset, abstract=True):
    """Photographs in a folder for each domain, with a sub-folder for each class.

    Rows are squares of `side` pixels (n, 3, side, side) uint8, decoded once to a mapped file of the user cache where
    that fits. On the device, encoders get the middle `crop` pixels, with channels shifted and scaled.
    """

    side: int = Field(256, ge=8)
    """Side of the squares that photographs are squeezed to, bilinear."""
    crop: int | None = Field(224, ge=8)
    """Side of the middle that encoders see, where no augmentation has cropped yet; None for all."""
    pixels: Scaled = "imagenet"
    """How channels are scaled: by the mean and deviation of ImageNet's, or from 0 to 1."""

    def rows(self, domain: str) -> DomainRows:
        """Pixels (n, 3, side, side) uint8, read when they are asked for, and classes (n,)."""
        from dareps.data._photo_files import rows_of

        listed = self._listed(domain, "")
        return DomainRows(rows_of(listed, self.side), {self.tasks[0].name: listed.labels})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Nothing is fitted: rows go in as they are."""
        return self.restore({})

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that leaves rows as they are and checks their shape."""
        from dareps.data._pixels import Pixels

        return Fitted(state, Pixels(self.name, (3, self.side, self.side)))

    def frame(self) -> Frame:
        """The middle `crop` pixels, scaled as `pixels` says."""
        return frame_of(self.crop, self.pixels)

    def read_rows(self, path: Path) -> Iterator[np.ndarray] | None:
        """Pixels of the images of a folder, by name, in pieces; None for a file."""
        if not path.is_dir():
            return None
        from dareps.data._photo_files import pieces_of

        return pieces_of(path, self.side)

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' files: names, classes, contents."""
        from dareps.data._photo_files import digest
        from dareps.data._roots import digest_of

        return digest_of(*(digest(self._listed(domain, part)) for domain in domains for part in self.parts()))

    def parts(self) -> tuple[str, ...]:
        """Parts that official lists name; one without a name where there are no lists."""
        return ("",)

    def _listed(self, domain: str, part: str) -> Listed:
        """The files of a part of a domain."""
        from dareps.data._photo_files import in_folders

        where = f"data {self.name}/{domain}"
        return in_folders(self._folder(domain), self.tasks[0].classes, where)

    def _folder(self, domain: str) -> Path:
        from dareps.data._roots import locate_any, require

        file = self.files[self.domains.index(domain)]
        return locate_any((file.path, *file.others)) or require(file.path, self.name)
