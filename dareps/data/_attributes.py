"""Scenes of one object each, their labels and their pixels; see `dareps.data.attributes.Attributes`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dareps.data._attribute_names import COLOURS, DOMAINS, KINDS, TYPICAL
from dareps.data._draws import generator, strata, uniform
from dareps.data._roots import cached_arrays, digest_of
from dareps.data._surfaces import SHAPES, Surface

VERSION = 1
SIDE, FINE = 32, 2
CHUNK = 64
COLOUR = {
    "red": (0.80, 0.10, 0.13),
    "orange": (0.95, 0.50, 0.08),
    "yellow": (0.95, 0.84, 0.20),
    "green": (0.30, 0.62, 0.18),
    "blue": (0.15, 0.32, 0.80),
}
SHADE = 0.06
"""Half-width of a colour's variation within its class."""
BROWN, GREY = np.array([0.28, 0.18, 0.10]), 0.5
AMBIENT, DIFFUSE, SHARPNESS = 0.4, 0.7, 12
LIGHT = np.array([-0.5, -0.6, 0.62]) / np.sqrt(0.5**2 + 0.6**2 + 0.62**2)
VIEW = np.array([0.0, 0.0, 1.0])
HALFWAY = (LIGHT + VIEW) / np.sqrt(2 + 2 * LIGHT @ VIEW)
# Ranges of pose at its full strength: radians, and shares of half the image's side.
ROLL, TILT, SHIFT = 0.7, 0.3, 0.25
YAW, LOOK_DOWN = 0.6, -0.5
TINT = 0.35
"""Standard deviation of the logarithm of each colour's brightness at full light."""


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
class Scenes:
    """n scenes as numbers: classes (n,), and for each how it is shown.

    Attributes:
        kind: Position in `KINDS`.
        colour: Position in `COLOURS`.
        radius: Share of half the image's side.
        place: Right and down, (2, n), likewise.
        roll: Radians in the image plane.
        turns: Yaw and tilt in radians, (2, n).
        paint: Red, green and blue of the object, (3, n), in [0, 1].
        tint: Factors of the light, (3, n).
        ground: What the background is drawn from, (10, n) in [0, 1].
    """

    kind: np.ndarray
    colour: np.ndarray
    radius: np.ndarray
    place: np.ndarray
    roll: np.ndarray
    turns: np.ndarray
    paint: np.ndarray
    tint: np.ndarray
    ground: np.ndarray

    def chunk(self, rows: slice) -> Scenes:
        """Some of the scenes."""
        return Scenes(*(getattr(self, name)[..., rows] for name in self.__dataclass_fields__))


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
    pose = look.pose * (2 * uniform(look.count, 5, *key, "pose") - 1)
    shade = SHADE * (2 * uniform(look.count, 3, *key, "shade") - 1)
    tint = generator(*key, "light").standard_normal((look.count, 3)).T
    return Scenes(
        kind=np.array([KINDS.index(kind) for kind in DOMAINS[domain]])[own],
        colour=colour,
        radius=look.size * (1 + look.spread * (2 * uniform(look.count, 1, *key, "size")[0] - 1)),
        place=SHIFT * pose[:2],
        roll=ROLL * pose[2],
        turns=np.stack([YAW + np.pi * pose[3], LOOK_DOWN + TILT * pose[4]]),
        paint=np.clip(np.array([COLOUR[name] for name in COLOURS])[colour].T + shade, 0, 1),
        tint=np.exp(TINT * look.light * tint),
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
    starts = range(0, look.count, CHUNK)
    clean = np.concatenate([_drawn(whole.chunk(slice(start, start + CHUNK)), look.background) for start in starts])
    grain = generator("attributes", VERSION, domain, part, "noise").standard_normal(clean.shape)
    x = np.rint(255 * np.clip(clean + look.noise * grain, 0, 1)).astype(np.uint8)
    return {"x": x, "kind": whole.kind.astype(np.int64), "colour": whole.colour.astype(np.int64)}


def _drawn(part: Scenes, background: float) -> np.ndarray:
    """Scenes without noise, (n, 3, 32, 32) in [0, 1]."""
    line = (np.arange(SIDE * FINE) + 0.5) * 2 / (SIDE * FINE) - 1
    v, u = line[None, :, None], line[None, None, :]
    image = _ground(part.ground, u, v, background)
    right, down, cos, sin, radius = (
        values[:, None, None] for values in (*part.place, np.cos(part.roll), np.sin(part.roll), part.radius)
    )
    a = (cos * (u - right) + sin * (v - down)) / radius
    b = (cos * (v - down) - sin * (u - right)) / radius
    for number in np.unique(part.kind):
        rows = np.flatnonzero(part.kind == number)
        seen = SHAPES[KINDS[number]](a[rows], b[rows], part.turns[:, rows])
        x, y, z = seen.normal
        facing = np.stack([cos[rows] * x - sin[rows] * y, sin[rows] * x + cos[rows] * y, z])
        colours = _lit(seen, facing, part.paint[:, rows, None, None], part.tint[:, rows, None, None])
        image[:, rows] = np.where(seen.inside, colours, image[:, rows])
    blocks = np.clip(image, 0, 1).reshape(3, -1, SIDE, FINE, SIDE, FINE).mean(axis=(3, 5))
    return np.moveaxis(blocks, 0, 1)


def _lit(seen: Surface, facing: np.ndarray, paint: np.ndarray, tint: np.ndarray) -> np.ndarray:
    """Colours (3, n, g, g) of surfaces that face these ways (3, n, g, g): Lambert's law and Blinn's highlight."""
    diffuse, shine = (np.clip(np.tensordot(way, facing, 1), 0, None) for way in (LIGHT, HALFWAY))
    pigment = paint * (1 - seen.mark) + BROWN[:, None, None, None] * seen.mark
    colours: np.ndarray = pigment * (AMBIENT + DIFFUSE * diffuse) * tint + seen.gloss * shine**SHARPNESS
    return colours


def _ground(draws: np.ndarray, u: np.ndarray, v: np.ndarray, strength: float) -> np.ndarray:
    """Two colours (3, n, g, g) that fade into each other, and waves across them; plain grey at strength 0."""
    angle, turn, phase, pitch = (values[:, None, None] for values in draws[6:])
    fade = 0.5 + 0.5 * (np.cos(2 * np.pi * angle) * u + np.sin(2 * np.pi * angle) * v)
    waves = np.sin((3 + 6 * pitch) * (np.cos(2 * np.pi * turn) * u + np.sin(2 * np.pi * turn) * v) + 2 * np.pi * phase)
    first, second = draws[:3, :, None, None], draws[3:6, :, None, None]
    ground: np.ndarray = GREY + strength * (first + (second - first) * fade + 0.15 * waves - GREY)
    return ground
