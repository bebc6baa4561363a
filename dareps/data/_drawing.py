"""From objects and how they are shown to pixels: frames, light, backgrounds and noise.

Shape legend: `n` objects, one in each image; `g` points along each side of the grid that pixels are means of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from dareps.data._draws import generator, uniform
from dareps.data._surfaces import Surface

SIDE, FINE = 32, 2
CHUNK = 64
BROWN, GREY = np.array([0.28, 0.18, 0.10]), 0.5
AMBIENT, DIFFUSE, SHARPNESS = 0.4, 0.7, 12
LIGHT = (-0.5, -0.6, 0.62)
VIEW = np.array([0.0, 0.0, 1.0])
TINT = 0.35
"""Standard deviation of the logarithm of each colour's brightness at full light."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How n objects are shown.

    Attributes:
        radius: Share of half the image's side, (n,).
        place: Right and down, (2, n), likewise.
        roll: Radians in the image plane, (n,).
        tint: Factors of the light, (3, n).
        ground: What the background is drawn from, (10, n) in [0, 1].
    """

    radius: np.ndarray
    place: np.ndarray
    roll: np.ndarray
    tint: np.ndarray
    ground: np.ndarray


@dataclass(frozen=True, slots=True)
class Scenery:
    """What is around the objects of a part.

    Attributes:
        background: Strength of its colours and waves; 0 is plain.
        noise: Standard deviation of each pixel's noise.
        plain: Brightness of a plain background.
        light: Where the light comes from: right, down and towards the viewer, of any length.
    """

    background: float
    noise: float
    plain: float = GREY
    light: tuple[float, float, float] = LIGHT


ShownT = TypeVar("ShownT", bound=Shown)
Painted = Callable[[ShownT, np.ndarray, np.ndarray], Iterator[tuple[np.ndarray, Surface, np.ndarray]]]
"""(scenes, a (n, g, g), b (n, g, g)) -> for groups of k objects their numbers (k,), what is seen of them, and their
paint (3, k, 1, 1) or (3, k, g, g) in [0, 1]. `a` points right and `b` down in each object's own frame."""


def swing(count: int, width: int, *key: object) -> np.ndarray:
    """Uniform on [-1, 1) as (width, count)."""
    return 2 * uniform(count, width, *key) - 1


def tints(count: int, strength: float, *key: object) -> np.ndarray:
    """Factors (3, count) by which the light of each image differs in brightness and colour."""
    factors: np.ndarray = np.exp(TINT * strength * generator(*key).standard_normal((count, 3)).T)
    return factors


def pictures(whole: ShownT, painted: Painted[ShownT], scenery: Scenery, *key: object) -> np.ndarray:
    """Pixels (n, 3, 32, 32) uint8 of scenes, with noise of the key's own."""
    chunks = (_chunk(whole, slice(start, start + CHUNK)) for start in range(0, len(whole.radius), CHUNK))
    clean = np.concatenate([_drawn(part, painted, scenery) for part in chunks])
    grain = generator(*key).standard_normal(clean.shape)
    pixels: np.ndarray = np.rint(255 * np.clip(clean + scenery.noise * grain, 0, 1)).astype(np.uint8)
    return pixels


def _chunk(whole: ShownT, rows: slice) -> ShownT:
    return type(whole)(**{field.name: getattr(whole, field.name)[..., rows] for field in fields(whole)})


def _drawn(part: ShownT, painted: Painted[ShownT], scenery: Scenery) -> np.ndarray:
    """Scenes without noise, (n, 3, 32, 32) in [0, 1]."""
    line = (np.arange(SIDE * FINE) + 0.5) * 2 / (SIDE * FINE) - 1
    v, u = line[None, :, None], line[None, None, :]
    image = _ground(part.ground, u, v, scenery)
    light = np.array(scenery.light) / np.sqrt(sum(along**2 for along in scenery.light))
    right, down, cos, sin, radius = (
        values[:, None, None] for values in (*part.place, np.cos(part.roll), np.sin(part.roll), part.radius)
    )
    a = (cos * (u - right) + sin * (v - down)) / radius
    b = (cos * (v - down) - sin * (u - right)) / radius
    for rows, seen, paint in painted(part, a, b):
        x, y, z = seen.normal
        facing = np.stack([cos[rows] * x - sin[rows] * y, sin[rows] * x + cos[rows] * y, z])
        colours = _lit(seen, facing, paint, part.tint[:, rows, None, None], light)
        image[:, rows] = np.where(seen.inside, colours, image[:, rows])
    blocks = np.clip(image, 0, 1).reshape(3, -1, SIDE, FINE, SIDE, FINE).mean(axis=(3, 5))
    return np.moveaxis(blocks, 0, 1)


def _lit(seen: Surface, facing: np.ndarray, paint: np.ndarray, tint: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Colours (3, n, g, g) of surfaces that face these ways (3, n, g, g): Lambert's law and Blinn's highlight."""
    halfway = (light + VIEW) / np.sqrt(2 + 2 * light @ VIEW)
    diffuse, shine = (np.clip(np.tensordot(way, facing, 1), 0, None) for way in (light, halfway))
    pigment = paint * (1 - seen.mark) + BROWN[:, None, None, None] * seen.mark
    colours: np.ndarray = pigment * (AMBIENT + DIFFUSE * diffuse) * tint + seen.gloss * shine**SHARPNESS
    return colours


def _ground(draws: np.ndarray, u: np.ndarray, v: np.ndarray, scenery: Scenery) -> np.ndarray:
    """Two colours (3, n, g, g) that fade into each other, and waves across them; plain grey at strength 0."""
    angle, turn, phase, pitch = (values[:, None, None] for values in draws[6:])
    fade = 0.5 + 0.5 * (np.cos(2 * np.pi * angle) * u + np.sin(2 * np.pi * angle) * v)
    waves = np.sin((3 + 6 * pitch) * (np.cos(2 * np.pi * turn) * u + np.sin(2 * np.pi * turn) * v) + 2 * np.pi * phase)
    first, second = draws[:3, :, None, None], draws[3:6, :, None, None]
    colours = first + (second - first) * fade + 0.15 * waves
    ground: np.ndarray = scenery.plain + scenery.background * (colours - scenery.plain)
    return ground
