"""What people do in the embedded sensor series, as numbers; see `dareps.data.sensors.Sensors`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

DOMAINS = ("phone", "watch", "phone2")
Waves = tuple[float, float, float]
"""Amplitudes of a movement's cycle, of twice and of three times its rate."""


class Activity(NamedTuple):
    """One activity of a middling person. Axes point forward, to the side and up.

    Attributes:
        cycle: Cycles a second; two steps are one.
        swings: Waves of the acceleration along each axis, in units of gravity.
        turns: Waves of the turning about each axis, in units of 100 degrees a second.
        impact: Height of the blow at each half cycle, along the up axis, in units of gravity.
        lean: How far the trunk leans forward, in radians.
        unrest: Share by which movements grow and shrink within seconds.
    """

    cycle: float
    swings: tuple[Waves, Waves, Waves]
    turns: tuple[Waves, Waves, Waves]
    impact: float
    lean: float
    unrest: float


ACTIVITIES: Mapping[str, Activity] = {
    "stand": Activity(
        cycle=0.45,
        swings=((0.05, 0.02, 0.0), (0.06, 0.02, 0.0), (0.02, 0.01, 0.0)),
        turns=((0.08, 0.03, 0.0), (0.06, 0.02, 0.0), (0.05, 0.02, 0.0)),
        impact=0.0,
        lean=0.05,
        unrest=0.3,
    ),
    "clean": Activity(
        cycle=0.75,
        swings=((0.22, 0.10, 0.04), (0.24, 0.08, 0.04), (0.10, 0.06, 0.02)),
        turns=((0.30, 0.12, 0.05), (0.22, 0.10, 0.04), (0.38, 0.12, 0.05)),
        impact=0.0,
        lean=0.35,
        unrest=0.7,
    ),
    "cycle": Activity(
        cycle=1.15,
        swings=((0.14, 0.10, 0.03), (0.20, 0.05, 0.02), (0.12, 0.14, 0.04)),
        turns=((0.25, 0.08, 0.03), (0.42, 0.12, 0.04), (0.16, 0.06, 0.02)),
        impact=0.0,
        lean=0.50,
        unrest=0.15,
    ),
    "walk": Activity(
        cycle=0.95,
        swings=((0.10, 0.22, 0.06), (0.16, 0.06, 0.05), (0.08, 0.32, 0.06)),
        turns=((0.24, 0.14, 0.06), (0.30, 0.12, 0.06), (0.34, 0.10, 0.08)),
        impact=0.35,
        lean=0.10,
        unrest=0.15,
    ),
    "stairs": Activity(
        cycle=0.80,
        swings=((0.12, 0.18, 0.09), (0.18, 0.08, 0.07), (0.14, 0.26, 0.12)),
        turns=((0.34, 0.16, 0.08), (0.26, 0.10, 0.08), (0.28, 0.12, 0.06)),
        impact=0.25,
        lean=0.26,
        unrest=0.25,
    ),
    "run": Activity(
        cycle=1.25,
        swings=((0.16, 0.36, 0.10), (0.22, 0.10, 0.08), (0.12, 0.60, 0.12)),
        turns=((0.36, 0.22, 0.10), (0.44, 0.18, 0.10), (0.46, 0.16, 0.10)),
        impact=0.80,
        lean=0.18,
        unrest=0.15,
    ),
}
NAMES = tuple(ACTIVITIES)
