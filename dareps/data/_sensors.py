"""People at their activities, and the devices that record them; see `dareps.data.sensors.Sensors`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dareps.data._activities import ACTIVITIES, NAMES
from dareps.data._draws import generator, uniform

VERSION = 1
CHANNELS, LENGTH, RATE = 6, 96, 32.0
"""Three axes of acceleration and three of turning; values of a channel, and values a second."""
STEPS = 256
"""Values lie in steps of 1 / STEPS."""
# How people differ, each in standard deviations: logarithms of the rate, of all and of single movements; radians of how
# they wear the device and of when their parts move; the height of a jolt.
PACE, EFFORT, MANNER, WEAR, TIMING, JOLT = 0.10, 0.22, 0.20, 0.22, 0.4, 0.5
LAGS = np.pi / 2 * np.array([0, 1, 2, 1, 0, 2])
"""Phases of the channels of a middling person."""
SHARP, ALONG, LATE = 10.0, 0.4, 0.4
"""How narrow blows are, their share forward, and by which share of the time between two they may be late."""
UNREST, SHORT = 0.4, 0.06
"""Times a second that movements grow and shrink, and how long a jolt lasts in seconds."""
# What the watch has at full shift.
GAIN = np.log([1.30, 0.75, 1.25, 0.75, 1.35, 0.80])
OFFSET = np.array([0.12, -0.10, 0.08, -0.08, 0.10, 0.06])
AXIS, ANGLE = np.array([2.0, 6.0, 3.0]) / 7, 0.7
SLOWER, GRAIN, BLUR = 0.2, 1.0, 1.1
"""Share of the rate that is lost, further noise in units of the phone's, and the filter's deviation in values."""
REACH = 4
"""Values that the filter sees on each side."""


@dataclass(frozen=True, slots=True)
class Collection:
    """The settings of `dareps.data.sensors.Sensors` that rows depend on, for one part."""

    count: int
    spread: float
    noise: float
    shift: float


@dataclass(frozen=True, slots=True)
class People:
    """n people, each at one activity for a moment.

    Attributes:
        activity: Position in `NAMES`, (n,).
        rate: Cycles a second, (n,).
        force: Factor on the movements of each channel, (n, 6).
        lag: Phase of each channel, (n, 6).
        wear: How the device is turned, (n, 3, 3).
        start: Phases of the cycle, the blows and the unrest, (3, n) in turns.
        jolt: Acceleration of a jolt, (n, 3).
        jolted: When it comes, (n,) in seconds.
    """

    activity: np.ndarray
    rate: np.ndarray
    force: np.ndarray
    lag: np.ndarray
    wear: np.ndarray
    start: np.ndarray
    jolt: np.ndarray
    jolted: np.ndarray


@lru_cache(maxsize=12)
def recorded(domain: str, part: str, collection: Collection) -> dict[str, np.ndarray]:
    """Series `x` (n, 6, 96) float32 and `activity` (n,) int64 of `train` or `test`."""
    key = ("sensors", VERSION, domain, part)
    group = people(collection, *key)
    ideal = turned_by(device_turn(collection.shift), moves(group, times(collection.shift)))
    x = filtered(ideal, collection.shift) * gain(collection.shift)[:, None]
    x += collection.shift * OFFSET[:, None]
    deviation = collection.noise * (1 + collection.shift * GRAIN)
    x += deviation * generator(*key, "noise").standard_normal(x.shape)
    return {"x": (np.rint(STEPS * x) / STEPS).astype(np.float32), "activity": group.activity}


def people(collection: Collection, *key: object) -> People:
    """People of every activity in turn."""
    count, spread = collection.count, collection.spread
    z = spread * generator(*key, "people").standard_normal((count, 21)).T
    draws = uniform(count, 4, *key, "moments")
    activity = np.arange(count) % len(NAMES)
    cycle = np.array([ACTIVITIES[name].cycle for name in NAMES])[activity]
    return People(
        activity=activity,
        rate=cycle * np.exp(PACE * z[0]),
        force=np.exp(EFFORT * z[1] + MANNER * z[2:8]).T,
        lag=LAGS + TIMING * z[8:14].T,
        wear=rotations(WEAR * z[14:17].T),
        start=draws[:3],
        jolt=(JOLT * z[17] * _directions(z[18:21])).T,
        jolted=draws[3] * LENGTH / RATE,
    )


def times(shift: float) -> np.ndarray:
    """Seconds of each value, (96 + 2 REACH,), at the device's rate."""
    found: np.ndarray = (np.arange(LENGTH + 2 * REACH) - REACH) / (RATE * (1 - SLOWER * shift))
    return found


def moves(group: People, t: np.ndarray) -> np.ndarray:
    """What a perfect device that is worn as people wear it tells at times t (m,) in seconds: (n, 6, m)."""
    cycles, blows, unrest = group.start
    angle = 2 * np.pi * (group.rate[:, None] * t + cycles[:, None])
    own = [ACTIVITIES[name] for name in NAMES]
    waves = np.array([each.swings + each.turns for each in own])[group.activity]
    whole = np.zeros((len(angle), CHANNELS, len(t)))
    for number in range(waves.shape[2]):
        phase = (number + 1) * angle[:, None] + group.lag[:, :, None]
        whole += waves[:, :, number, None] * np.cos(phase)
    blow = np.exp(SHARP * (np.cos(2 * angle + 2 * np.pi * LATE * blows[:, None]) - 1))
    height = np.array([each.impact for each in own])[group.activity, None, None]
    whole[:, :3] += height * np.array([ALONG, 0.0, 1.0])[:, None] * blow[:, None]
    grows = np.array([each.unrest for each in own])[group.activity, None]
    envelope = 1 + grows * np.cos(2 * np.pi * (UNREST * t + unrest[:, None]))
    whole *= group.force[:, :, None] * envelope[:, None]
    jolt = np.exp(-(((t - group.jolted[:, None]) / SHORT) ** 2) / 2)
    whole[:, :3] += group.jolt[:, :, None] * jolt[:, None] + _gravity(group.activity)[:, :, None]
    return turned_by(group.wear, whole)


def _gravity(activity: np.ndarray) -> np.ndarray:
    """What gravity does to people who lean as in these activities (n,): (n, 3)."""
    lean = np.array([ACTIVITIES[name].lean for name in NAMES])[activity]
    return np.stack([np.sin(lean), np.zeros_like(lean), np.cos(lean)], axis=-1)


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Vectors (3, n) of length 1; 0 stays."""
    length = np.sqrt((vectors**2).sum(axis=0))
    found: np.ndarray = vectors / np.where(length > 0, length, 1)
    return found


def rotations(vectors: np.ndarray) -> np.ndarray:
    """Rotations about vectors (n, 3) by their lengths in radians (Rodrigues' formula): (n, 3, 3)."""
    angle = np.sqrt((vectors**2).sum(axis=1))[:, None, None]
    x, y, z = _directions(vectors.T)
    zero = np.zeros_like(x)
    cross = np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]).transpose(2, 0, 1)
    found: np.ndarray = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return found


def device_turn(shift: float) -> np.ndarray:
    """How the device is turned against the phone, (1, 3, 3)."""
    return rotations(shift * ANGLE * AXIS[None])


def turned_by(rotation: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Acceleration and turning of x (n, 6, m), each turned by rotations (n, 3, 3) or one of them."""
    return np.concatenate([rotation @ x[:, :3], rotation @ x[:, 3:]], axis=1)


def taps(shift: float) -> np.ndarray:
    """Weights (2 REACH + 1,) of the device's low-pass filter, a Gaussian; at 0 it lets all through."""
    place = np.arange(-REACH, REACH + 1)
    deviation = BLUR * shift
    weights = np.exp(-((place / deviation) ** 2) / 2) if deviation > 1e-3 else (place == 0).astype(np.float64)
    found: np.ndarray = weights / weights.sum()
    return found


def filtered(x: np.ndarray, shift: float) -> np.ndarray:
    """x (n, 6, m + 2 REACH) filtered, (n, 6, m)."""
    weights, length = taps(shift), x.shape[-1] - 2 * REACH
    found = np.zeros((*x.shape[:-1], length))
    for start, weight in enumerate(weights):
        found += weight * x[..., start : start + length]
    return found


def gain(shift: float) -> np.ndarray:
    """Factor of each channel, (6,)."""
    found: np.ndarray = np.exp(shift * GAIN)
    return found
