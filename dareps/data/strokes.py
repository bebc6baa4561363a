"""The embedded benchmark of two modalities: written digits as pictures and as the paths of the pen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dareps.data._base import DomainRows, Origin
from dareps.data._forms import FormedSet
from dareps.data._image_set import SMALL_IMAGES
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np


class Strokes(FormedSet):
    """Digits that a pen wrote: `images` shows the ink, 1x16x16; `paths` tells x, y and pen-down at 48 times, 3x48.

    Each digit is one of two or three skeletons of strokes, whose points are moved at random and which is slanted,
    turned, scaled and shifted. Both domains are written alike, but they are not the same digits: no row of one belongs
    to a row of the other. An image does not show in which order and direction strokes were drawn, or how fast; a path
    does not know the width of the pen. Ink lies from 0 to 1; coordinates have 0 in the middle of the sheet, whose
    edges are at -1 and 1, and y points down.

    The network reads both as rows of 256 numbers, behind which the recipe's `stem` gives each domain the form that the
    encoder wants: that of the first source.
    """

    domains = ("images", "paths")
    forms: ClassVar[Mapping[str, tuple[int, ...]]] = {"images": (1, 16, 16), "paths": (3, 48)}
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"images": (0, 1), "paths": (-2, 2)}
    tasks = (Task("digit", "classification", 10, tuple("0123456789")),)
    embedded = True
    origin = Origin("drawn by dareps", "MIT, as dareps", "none: this benchmark is the package's own")
    defaults: ClassVar[Mapping[str, Any]] = SMALL_IMAGES

    rows_per_domain: int = Field(2000, ge=30)
    """Training rows, validation included, of each domain."""
    test_rows: int = Field(1000, ge=30)
    """Official test rows of each domain."""
    wobble: float = Field(1.0, ge=0, le=3)
    """How far the points of a skeleton are moved at random; 0 leaves slant, turn, size, place and the pen's course."""
    noise: float = Field(0.1, ge=0, le=1)
    """Standard deviation of each pixel's noise; coordinates of paths have 0.15 of it."""

    def rows(self, domain: str) -> DomainRows:
        """Rows (n, *form) float32 and digits (n,), with the official test rows."""
        train, test = self._written(domain, "train"), self._written(domain, "test")
        return DomainRows(train["x"], {"digit": train["digit"]}, test["x"], {"digit": test["digit"]})

    def _written(self, domain: str, part: str) -> dict[str, np.ndarray]:
        from dareps.data._strokes import Writing, rows_of

        count = {"train": self.rows_per_domain, "test": self.test_rows}[part]
        return rows_of(domain, part, Writing(count, self.wobble, self.noise))
