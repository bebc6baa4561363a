"""The embedded benchmark of known limits: faces from a written process, with a class and a number to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dareps.data._base import DomainRows, Origin
from dareps.data._image_set import ImageSet
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np


class Portraits(ImageSet):
    """Drawn faces, 1x32x32, with two tasks: `group` (three fictitious families) and `age` in years.

    Standardised age a ~ N(0, 1) moves six features of a face (hairline, grey, wrinkles, cheeks, eyes, nose), the group
    g = 0, 1, 2 three (eyes, nose, brows), two of which are shared, and every feature has normal noise of its own:

        f = AGE a + GROUP (g - 1) + noise e,    years = 45 + 12 a.

    The image is a smooth function of the seven features that gives each a part of its own, so all that an image tells
    of group and age its features tell; rounding to bytes takes next to nothing. The best possible scores are therefore
    known from the process: of `group` in closed form, of `age` by one integral (`best_scores`; `dareps data check
    portraits` prints them). At the default noise they are an accuracy of 0.732, and an error of 6.23 years or an R2 of
    0.731. What would be possible with the other task's label at hand (0.745 and 6.07 years) bounds what tasks can
    teach each other.

    `studio` shows faces alone; `street` moves them, and differs in brightness and background. The process is the same,
    so the limits are as well. There are official test rows, with all labels.
    """

    domains = ("studio", "street")
    shape = (1, 32, 32)
    tasks = (Task("group", "classification", 3, ("ash", "elm", "oak")), Task("age", "regression", 1))
    embedded = True
    origin = Origin("drawn by dareps", "MIT, as dareps", "none: this benchmark is the package's own")
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "digit_cnn", "channels": [16, 32], "kernel": 3, "padding": 1, "width": 64},
        "normalise": "per_domain",
        "steps": 400,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.002},
    }

    rows_per_domain: int = Field(3000, ge=30)
    """Training rows, validation included, of each domain."""
    test_rows: int = Field(1500, ge=30)
    """Official test rows of each domain."""
    noise: float = Field(1.0, ge=0.01, le=100)
    """Standard deviation of each feature's own noise; the effects of age and group are between 0.5 and 1.2."""
    street: float = Field(1.0, ge=0, le=1)
    """How strongly `street` differs from `studio`."""
    group_labels: float = Field(1.0, gt=0, le=1)
    """Share of the training rows, of every group, that have a label of `group`."""
    age_labels: float = Field(1.0, gt=0, le=1)
    """Share of the training rows that have a label of `age`; drawn apart from `group_labels`."""

    def rows(self, domain: str) -> DomainRows:
        """Pixels (n, 1, 32, 32) uint8, `group` (n,), -1 where missing, and `age` (n,), NaN where missing."""
        train, test = self._taken(domain, "train"), self._taken(domain, "test")
        return DomainRows(train["x"], self._known(domain, train), test["x"], {task: test[task] for task in _MISSING})

    def best_scores(self) -> dict[str, float]:
        """What no model can beat in expectation, and what it could be with the other label known."""
        from dareps.data._portrait_process import best_scores

        return best_scores(self.noise)

    def _taken(self, domain: str, part: str) -> dict[str, np.ndarray]:
        from dareps.data._portraits import Sitting, taken

        count = {"train": self.rows_per_domain, "test": self.test_rows}[part]
        # What differs in the street alone is no reason to draw the studio again.
        return taken(domain, part, Sitting(count, self.noise, self.street if domain == "street" else 0.0))

    def _known(self, domain: str, full: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The training labels that are left."""
        from dareps.data._draws import kept

        shares = {"group": self.group_labels, "age": self.age_labels}
        return {
            task: kept(full[task], share, _MISSING[task], self.name, domain, task) for task, share in shares.items()
        }


_MISSING: Mapping[str, float] = {"group": -1, "age": float("nan")}
