"""The embedded benchmark of transfer: fruit with coarse labels, finer ones and another question, in two looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dareps.data._base import DomainRows, Origin
from dareps.data._image_set import SMALL_IMAGES, ImageSet
from dareps.data._variety_names import DOMAINS, FRUIT, RIPENESS, VARIETIES
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.data._varieties import Look


class Varieties(ImageSet):
    """Drawn fruit, 3x32x32, with three tasks: `fruit`, `variety`, which is finer, and `ripeness`, which is another.

    Every fruit has three varieties, which differ in colour range, size, form and pattern, so `variety` determines
    `fruit`. Unripe fruit is greener and overripe fruit browner, with brown spots, each by a random amount around its
    own. Every pair of variety and ripeness has the same number of rows, to one: neither tells anything of the other.

    `stall` and `stall2` are two collections of one distribution, drawn apart: what one may merge. `studio` shows the
    same fruit on a plain dark ground, smaller, lit from the other side by bluer light and with half the noise; `shift`
    dials how far it is from the stalls, and at 0 it is a third collection of their distribution.

    There are official test rows, with all labels. Every setting changes its own part of an image and leaves what is
    drawn for the others alone.
    """

    domains = DOMAINS
    shape = (3, 32, 32)
    tasks = (
        Task("fruit", "classification", 3, FRUIT),
        Task("variety", "classification", 9, VARIETIES),
        Task("ripeness", "classification", 3, RIPENESS),
    )
    embedded = True
    origin = Origin("drawn by dareps", "MIT, as dareps", "none: this benchmark is the package's own")
    defaults: ClassVar[Mapping[str, Any]] = SMALL_IMAGES

    rows_per_domain: int = Field(1350, ge=54)
    """Training rows, validation included, of each domain."""
    test_rows: int = Field(900, ge=27)
    """Official test rows of each domain."""
    pose: float = Field(1.0, ge=0, le=1)
    """0: fruit is centred and upright; 1: moved and rolled by the largest amounts."""
    background: float = Field(0.6, ge=0, le=1)
    """0: plain grey; 1: strong colours and waves."""
    light: float = Field(0.3, ge=0, le=1)
    """How strongly the light differs between images in brightness and colour."""
    noise: float = Field(0.1, ge=0, le=1)
    """Standard deviation of each pixel's noise, of a range of 1."""
    shift: float = Field(1.0, ge=0, le=1)
    """How far `studio` is from the stalls; at 0 it has their distribution."""
    fruit_labels: float = Field(1.0, gt=0, le=1)
    """Share of the training rows, of every fruit and at least one each, that have a label of `fruit`."""
    variety_labels: float = Field(1.0, gt=0, le=1)
    """The same for every variety and `variety`; the labels of each task are drawn apart."""
    ripeness_labels: float = Field(1.0, gt=0, le=1)
    """The same for every ripeness and `ripeness`."""

    def rows(self, domain: str) -> DomainRows:
        """Pixels (n, 3, 32, 32) uint8 and all labels (n,), -1 where one is missing, with the official test rows."""
        from dareps.data._varieties import left, rendered

        train, test = (rendered(domain, part, self._look(domain, part)) for part in ("train", "test"))
        shares = {"fruit": self.fruit_labels, "variety": self.variety_labels, "ripeness": self.ripeness_labels}
        y = {task: left(train[task], share, self.name, domain, task) for task, share in shares.items()}
        return DomainRows(train["x"], y, test["x"], {task: test[task] for task in shares})

    def _look(self, domain: str, part: str) -> Look:
        from dareps.data._varieties import Look

        return Look(
            count={"train": self.rows_per_domain, "test": self.test_rows}[part],
            pose=self.pose,
            background=self.background,
            light=self.light,
            noise=self.noise,
            # What differs in the studio alone is no reason to draw the stalls again.
            shift=self.shift if domain == "studio" else 0.0,
        )
