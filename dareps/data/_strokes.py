"""Written digits as pictures and as pen paths; see `dareps.data.strokes.Strokes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dareps.data._draws import generator, uniform
from dareps.data._pen import DENSE, hand, written
from dareps.data._roots import cached_arrays, digest_of

VERSION = 1
SIDE, TICKS, CHUNK = 16, 48, 64
SOFT = 2 / SIDE
"""Edges fade over a pixel."""
THICK = (0.06, 0.14)
"""Half of the pen's width."""
HURRY, LIFTED = 0.45, 0.5
"""Most by which speed swings, twice, around its mean, and the time that a move without ink takes of one with ink."""
SHAKE, STEPS = 0.15, 256
"""Share of a pixel's noise that coordinates have, and steps of coordinates in a unit."""
REACH = 2.0
"""Coordinates beyond are cut off."""


@dataclass(frozen=True, slots=True)
class Writing:
    """The settings of `dareps.data.strokes.Strokes` that rows depend on, for one part."""

    count: int
    wobble: float
    noise: float


@lru_cache(maxsize=8)
def rows_of(domain: str, part: str, writing: Writing) -> dict[str, np.ndarray]:
    """Rows `x` (n, *form) float32 and `digit` (n,) int64 of `train` or `test`, from the user cache."""
    name = digest_of(np.frombuffer(repr(writing).encode(), dtype=np.uint8))
    return cached_arrays(f"strokes-{VERSION}-{domain}-{part}-{name}", lambda: write(domain, part, writing))


def write(domain: str, part: str, writing: Writing) -> dict[str, np.ndarray]:
    """Write the digits of a part; see `rows_of`."""
    key = ("strokes", VERSION, domain, part)
    own = hand(writing.count, writing.wobble, *key)
    make, form = MAKERS[domain]
    x = np.empty((writing.count, *form))
    draws = uniform(writing.count, 4, *key, "tool").T
    for rows, places in written(own):
        x[rows] = make(places, draws[rows])
    grain = writing.noise * generator(*key, "noise").standard_normal(x.shape)
    return {"x": FINISH[domain](x, grain).astype(np.float32), "digit": own.digit.astype(np.int64)}


def pictures(places: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Ink (n, 1, 16, 16) in [0, 1] of places (n, p, 2), by the pen's width, the first of the draws (n, 4)."""
    starts = range(0, len(places), CHUNK)
    blocks = [_inked(places[i : i + CHUNK], draws[i : i + CHUNK, 0]) for i in starts]
    return np.concatenate(blocks) if blocks else np.empty((0, 1, SIDE, SIDE))


def _inked(places: np.ndarray, draw: np.ndarray) -> np.ndarray:
    line = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
    x, y = places[:, None, None, :, 0], places[:, None, None, :, 1]
    nearest = np.sqrt(((line[:, None] - x) ** 2 + (line[:, None, None] - y) ** 2).min(axis=-1))
    half = THICK[0] + (THICK[1] - THICK[0]) * draw[:, None, None]
    ink: np.ndarray = np.clip(0.5 + (half - nearest) / SOFT, 0, 1)
    return ink[:, None]


def paths(places: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """x, y and whether the pen is down (n, 3, 48) at even times, by speeds that draws (n, 4) give.

    Speed swings around its mean by two waves; between strokes the pen moves straight, faster and without ink.
    """
    steps = np.linalg.norm(np.diff(places, axis=1), axis=-1)
    lifted = np.arange(1, places.shape[1]) % DENSE == 0
    times = np.cumsum(np.where(lifted, LIFTED, 1.0) * steps, axis=1)
    times = np.concatenate([np.zeros((len(places), 1)), times], axis=1)
    ticks = _hurried(draws) * times[:, -1:]
    found = np.empty((len(places), 3, TICKS))
    for row, (own, at, tick) in enumerate(zip(places, times, ticks, strict=True)):
        found[row, :2] = [np.interp(tick, at, own[:, axis]) for axis in (0, 1)]
        found[row, 2] = ~lifted[np.searchsorted(at[1:-1], tick)]
    return found


def _hurried(draws: np.ndarray) -> np.ndarray:
    """Share of the path that is done at each tick, (n, 48) from 0 to 1, never falling."""
    t = np.linspace(0, 1, TICKS)
    done = np.broadcast_to(t, (len(draws), TICKS))
    for wave in (1, 2):
        size, phase = draws[:, 2 * wave - 2 : 2 * wave].T[:, :, None]
        angle = 2 * np.pi * phase
        done = done + HURRY * size / (2 * np.pi * wave) * (np.sin(2 * np.pi * wave * t + angle) - np.sin(angle))
    return done


def _picture_levels(ink: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Noisy ink in steps of 1/255."""
    levels: np.ndarray = np.rint(255 * np.clip(ink + grain, 0, 1))
    return levels / 255


def _path_levels(path: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Paths with noise on their coordinates, which then lie in steps of 1/256."""
    path[:, :2] = np.rint(STEPS * np.clip(path[:, :2] + SHAKE * grain[:, :2], -REACH, REACH)) / STEPS
    return path


MAKERS: Mapping[str, tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], tuple[int, ...]]] = {
    "images": (pictures, (1, SIDE, SIDE)),
    "paths": (paths, (3, TICKS)),
}
FINISH = {"images": _picture_levels, "paths": _path_levels}
