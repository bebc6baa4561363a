"""Where training stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Report:
    """Where a population stands, told at every flush: mean of each part per seed since the last one."""

    step: int
    total: int
    values: Mapping[int, Mapping[str, float]]


@dataclass(slots=True)
class Position:
    """The next step to take: number of the phase, and of the step within it."""

    phase: int = 0
    step: int = 0
