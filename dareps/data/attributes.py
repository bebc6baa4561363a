"""The embedded multi-task benchmark: what an object is and which colour it has, from one small image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dareps.data._attribute_names import COLOURS, DOMAINS, KINDS
from dareps.data._base import DomainRows, Origin
from dareps.data._image_set import ImageSet
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.data._attributes import Look


class Attributes(ImageSet):
    """Drawn objects, 3x32x32, with two tasks: `kind` and `colour`. `fruit`: apples, oranges, bananas; `solids`: blocks.

    Each kind of a domain has the same number of rows. Colours follow P(colour | kind) = c T(colour | kind) +
    (1 - c) M(colour), where T is typical of the kind, M is the mean of T over the domain's kinds and c the setting
    `correlation`. So how often a colour occurs does not depend on c, and Cramer's V of kind and colour is c times its
    value at c = 1. Typical fruit is as at a grocer's; typical solids are a box of blocks in which every shape has a
    favourite colour, which half of its blocks have.

    Both tasks have one list of classes for both domains. `colour` means the same in both. `kind` lists the kinds of
    both, of which each domain has its own three: its head has six outputs, three of them without rows. So a model may
    be trained on one domain, or both, and go on with the other without a change of heads, and between the domains
    `colour` is domain adaptation, while `kind` is another task: a model that has seen `fruit` alone cannot name a cube.

    When tasks share an encoder, what one task's labels teach the other one depends on the settings. With few labels of
    colour, much `light` (which hides the colour) and correlation 1, kinds tell what the pixels do not; with correlation
    0, a colour has nothing to learn from kinds, and `test_correlation` below `correlation` punishes a model that has
    learned one from the other.

    There are official test rows, with all labels. Every setting changes its own part of an image and leaves what is
    drawn for the others alone.
    """

    domains = tuple(DOMAINS)
    shape = (3, 32, 32)
    tasks = (Task("kind", "classification", 6, KINDS), Task("colour", "classification", 5, COLOURS))
    embedded = True
    origin = Origin("drawn by dareps", "MIT, as dareps", "none: this benchmark is the package's own")
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "digit_cnn", "channels": [16, 32], "kernel": 3, "padding": 1, "width": 64},
        "normalise": "per_domain",
        "steps": 1000,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.002},
    }

    rows_per_domain: int = Field(1200, ge=30)
    """Training rows, validation included, of each domain."""
    test_rows: int = Field(900, ge=30)
    """Official test rows of each domain."""
    correlation: float = Field(1.0, ge=0, le=1)
    """How much of the typical dependence of colour on kind there is."""
    test_correlation: float | None = Field(None, ge=0, le=1)
    """The same among test rows; None for that of the training rows."""
    size: float = Field(0.6, gt=0.1, le=1)
    """Mean radius of an object, in halves of the image's side."""
    size_spread: float = Field(0.25, ge=0, lt=1)
    """Radii are spread evenly by this share of the mean to both sides."""
    pose: float = Field(1.0, ge=0, le=1)
    """0: objects are centred, upright and seen from one side; 1: moved, rolled and turned by the largest amounts."""
    background: float = Field(0.8, ge=0, le=1)
    """0: plain grey; 1: strong colours and waves."""
    light: float = Field(0.7, ge=0, le=1)
    """How strongly the light differs between images in brightness and colour."""
    noise: float = Field(0.12, ge=0, le=1)
    """Standard deviation of each pixel's noise, of a range of 1."""
    kind_labels: float = Field(1.0, gt=0, le=1)
    """Share of the training rows, of every kind, that have a label of `kind`."""
    colour_labels: float = Field(1.0, gt=0, le=1)
    """Share of the training rows, of every colour, that have a label of `colour`; drawn apart from `kind_labels`."""

    def rows(self, domain: str) -> DomainRows:
        """Pixels (n, 3, 32, 32) uint8 and both labels (n,), -1 where one is missing, with the official test rows."""
        from dareps.data._attributes import rendered
        from dareps.data._draws import kept

        train, test = (rendered(domain, part, self._look(part)) for part in ("train", "test"))
        shares = {"kind": self.kind_labels, "colour": self.colour_labels}
        y = {task: kept(train[task], share, -1, self.name, domain, task) for task, share in shares.items()}
        return DomainRows(train["x"], y, test["x"], {task: test[task] for task in shares})

    def _look(self, part: str) -> Look:
        from dareps.data._attributes import Look

        among_test = self.correlation if self.test_correlation is None else self.test_correlation
        count, correlation = {
            "train": (self.rows_per_domain, self.correlation),
            "test": (self.test_rows, among_test),
        }[part]
        return Look(
            count=count,
            correlation=correlation,
            size=self.size,
            spread=self.size_spread,
            pose=self.pose,
            background=self.background,
            light=self.light,
            noise=self.noise,
        )
