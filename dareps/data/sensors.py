"""The embedded benchmark of series: people at their activities, recorded by phones and by a watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dareps.data._activities import DOMAINS, NAMES
from dareps.data._base import Dataset, DomainRows, Fitted, Origin
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np


class Sensors(Dataset):
    """Simulated series of acceleration and turning, 6x96, three seconds each, of people at one of six activities.

    An activity is a mixture of waves at one, two and three times its own rate, blows at each step, a posture and a
    share of unrest. Every row is another person: faster or slower, stronger or weaker in each direction, wearing the
    device at another angle, at another moment, and jolted once. Accelerations are in units of gravity, which they
    contain, and turning in 100 degrees a second.

    `phone` and `phone2` are two collections of one distribution, drawn apart. `watch` has other gains and offsets of
    its channels, sits turned, takes fewer values a second, of which a row then spans more, filters what is fast and has
    more noise; `shift` dials all of it, and at 0 the watch is a third collection of the phones' distribution.

    There are official test rows, with all labels. Every setting changes its own part of a row and leaves what is drawn
    for the others alone.
    """

    domains = DOMAINS
    tasks = (Task("activity", "classification", len(NAMES), NAMES),)
    embedded = True
    origin = Origin("simulated by dareps", "MIT, as dareps", "none: this benchmark is the package's own")
    # Gains and offsets are part of the question here. Statistics of each domain's own would take them away before any
    # loss is measured, in source_only too; the recipe adabn asks for them by itself.
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "conv1d", "channels": [16, 32, 32], "kernels": [7, 5, 3], "width": 64},
        "normalise": "joint",
        "steps": 400,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.002},
    }

    rows_per_domain: int = Field(1800, ge=30)
    """Training rows, validation included, of each domain."""
    test_rows: int = Field(900, ge=30)
    """Official test rows of each domain."""
    spread: float = Field(1.0, ge=0, le=3)
    """How much people differ in pace, force, timing and how they wear the device; 0 leaves them their moments."""
    noise: float = Field(0.1, ge=0, le=3)
    """Standard deviation of a phone's noise in every value; a watch at full shift has twice as much."""
    shift: float = Field(1.0, ge=0, le=1)
    """How far `watch` is from the phones; at 0 it has their distribution."""

    def rows(self, domain: str) -> DomainRows:
        """Series (n, 6, 96) float32 and activities (n,), with the official test rows."""
        train, test = (self._recorded(domain, part) for part in ("train", "test"))
        return DomainRows(train["x"], {"activity": train["activity"]}, test["x"], {"activity": test["activity"]})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Nothing is fitted: rows go in as they are."""
        return self.restore({})

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that leaves rows as they are and checks their shape."""
        from dareps.data._sensors import CHANNELS, LENGTH
        from dareps.data._series import Series

        return Fitted(state, Series(self.name, (CHANNELS, LENGTH)))

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' values and labels."""
        from dareps.data._roots import digest_of

        return digest_of(*(array for domain in domains for array in self.rows(domain).arrays()))

    def _recorded(self, domain: str, part: str) -> dict[str, np.ndarray]:
        from dareps.data._sensors import Collection, recorded

        count = {"train": self.rows_per_domain, "test": self.test_rows}[part]
        # What differs in the watch alone is no reason to simulate the phones again.
        own = self.shift if domain == "watch" else 0.0
        return recorded(domain, part, Collection(count, self.spread, self.noise, own))
