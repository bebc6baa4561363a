"""Scenes of one object each, their labels and their pixels; see `dareps.data.attributes.Attributes`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dareps.data._attribute_names import COLOURS, DOMAINS, KINDS, TYPICAL
from dareps.data._drawing import Scenery, Shown, pictures, swing, tints
from dareps.data._draws import strata, uniform
from dareps.data._roots import cached_arrays, digest_of
from dareps.data._surfaces import SHAPES, Surface

VERSION = 1
COLOUR = {
    "red": (0.80, 0.10, 0.13),
    "orange": (0.95, 0.50, 0.08),
    "yellow": (0.95, 0.84, 0.20),
    "green": (0.30, 0.62, 0.18),
    "blue": (0.15, 0.32, 0.80),
}
SHADE = 0.06
"""Half-width of a colour's variation within its class."""
# Ranges of pose at its full strength: radians, and shares of half the image's side.
ROLL, TILT, SHIFT = 0.7, 0.3, 0.25
YAW, LOOK_DOWN = 0.6, -0.5


@dataclass(frozen=True, slots=True)
class Look:
    """The settings of `dareps.data.attributes.Attributes` that pixels and full labels depend on, for one part."""

    count: int
    correlation: float
    size: float
    spread: float
    pose: float
    background: float
    light: float
    noise: float


@dataclass(frozen=True, slots=True)
class Scenes(Shown):
    """n scenes as numbers.

    Attributes:
        kind: Position in `KINDS`, (n,).
        colour: Position in `COLOURS`, (n,).
        turns: Yaw and tilt in radians, (2, n).
        paint: Red, green and blue of the object, (3, n), in [0, 1].
    """

    kind: np.ndarray
    colour: np.ndarray
    turns: np.ndarray
    paint: np.ndarray


def colour_shares(domain: str, correlation: float) -> np.ndarray:
    """P(colour | kind) as (kinds of the domain, colours): typical and overall shares, mixed by the correlation."""
    typical = np.array([[TYPICAL[kind].get(colour, 0.0) for colour in COLOURS] for kind in DOMAINS[domain]])
    shares: np.ndarray = correlation * typical + (1 - correlation) * typical.mean(axis=0)
    return shares


def scenes(domain: str, part: str, look: Look) -> Scenes:
    """The scenes of a part (`train` or `test`) of a domain."""
    key = ("attributes", VERSION, domain, part)
    own = np.arange(look.count) % len(DOMAINS[domain])
    edges = colour_shares(domain, look.correlation).cumsum(axis=1)
    colour = (strata(own, *key, "colour")[:, None] > edges[own]).sum(axis=1).clip(max=len(COLOURS) - 1)
    pose = look.pose * swing(look.count, 5, *key, "pose")
    shade = SHADE * swing(look.count, 3, *key, "shade")
    return Scenes(
        kind=np.array([KINDS.index(kind) for kind in DOMAINS[domain]])[own],
        colour=colour,
        radius=look.size * (1 + look.spread * swing(look.count, 1, *key, "size")[0]),
        place=SHIFT * pose[:2],
        roll=ROLL * pose[2],
        turns=np.stack([YAW + np.pi * pose[3], LOOK_DOWN + TILT * pose[4]]),
        paint=np.clip(np.array([COLOUR[name] for name in COLOURS])[colour].T + shade, 0, 1),
        tint=tints(look.count, look.light, *key, "light"),
        ground=uniform(look.count, 10, *key, "background"),
    )


@lru_cache(maxsize=8)
def rendered(domain: str, part: str, look: Look) -> dict[str, np.ndarray]:
    """Pixels `x` (n, 3, 32, 32) uint8 and full labels `kind` and `colour` (n,) int64, from the user cache."""
    name = digest_of(np.frombuffer(repr(look).encode(), dtype=np.uint8))
    return cached_arrays(f"attributes-{VERSION}-{domain}-{part}-{name}", lambda: render(domain, part, look))


def render(domain: str, part: str, look: Look) -> dict[str, np.ndarray]:
    """Draw the scenes; see `rendered`."""
    whole = scenes(domain, part, look)
    x = pictures(whole, _painted, Scenery(look.background, look.noise), "attributes", VERSION, domain, part, "noise")
    return {"x": x, "kind": whole.kind.astype(np.int64), "colour": whole.colour.astype(np.int64)}


def _painted(part: Scenes, a: np.ndarray, b: np.ndarray) -> Iterator[tuple[np.ndarray, Surface, np.ndarray]]:
    for number in np.unique(part.kind):
        rows = np.flatnonzero(part.kind == number)
        yield rows, SHAPES[KINDS[number]](a[rows], b[rows], part.turns[:, rows]), part.paint[:, rows, None, None]
