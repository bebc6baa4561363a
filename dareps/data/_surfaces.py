"""Shapes of single objects in a frame of their own, seen along z: where they are, and which way they face.

Shape legend: `n` objects, `g` points along each side of the grid; `a` points right, `b` down and `z` to the viewer.
Objects fill about the unit circle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BANANA = 0.85
"""Its length is about this part of the unit circle's diameter before it is enlarged to fill it."""


class Surface(NamedTuple):
    """What is seen of n objects.

    Attributes:
        inside: Where the object is, (n, g, g) bool.
        normal: Unit normals (3, n, g, g) of what is seen.
        mark: Share of brown in the colour, (n, g, g): stems and tips.
        gloss: Strength of the highlight.
    """

    inside: np.ndarray
    normal: np.ndarray
    mark: np.ndarray
    gloss: float


Shape = Callable[[np.ndarray, np.ndarray, np.ndarray], Surface]
"""(a (n, g, g), b (n, g, g), turns (2, n) of yaw and tilt in radians) -> surface."""


def apple(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    """A round body with a dimple above, where the stem is, and a flatter one below."""
    angle = np.arctan2(a, -b)
    below = np.pi - np.abs(angle)
    rim = 1 - 0.3 * np.exp(-((angle / 0.4) ** 2)) - 0.16 * np.exp(-((below / 0.45) ** 2)) - 0.06 * (1 + np.sign(b) * b)
    stem = (np.abs(a - 0.25 * (b + 0.65) ** 2) < 0.09) & (b > -1.1) & (b < -0.5)
    body = _round(a / rim, b / rim)
    return Surface(body.inside | stem, body.normal, stem.astype(np.float64), 0.35)


def orange(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    """A sphere with a dimpled peel and a dark navel."""
    navel = np.exp(-(((a - 0.2) ** 2 + (b + 0.55) ** 2) / 0.02))
    return peel(a, b, turns)._replace(mark=0.9 * navel)


def peel(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    """A sphere with a dimpled peel."""
    body = _round(a, b)
    waves = 0.16 * np.stack([np.sin(17 * a + 5 * b), np.sin(17 * b - 5 * a), np.zeros_like(a)])
    return Surface(body.inside, _unit(body.normal + waves), np.zeros_like(a), 0.1)


def banana(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    """A tapering tube around an arc, with dark tips."""
    return tube(BANANA * a, BANANA * b, half=1.05, width=0.36)


def tube(a: np.ndarray, b: np.ndarray, *, half: float, width: float) -> Surface:
    """A tapering tube around an arc of radius 1 and twice `half` radians, as wide as twice `width`, with dark tips."""
    angle, radius = np.arctan2(a, b + 0.75) / half, np.hypot(a, b + 0.75)
    taper = width * np.sqrt(np.clip(1 - np.abs(angle) ** 3, 1e-6, None)) + 0.05
    across = (radius - 1) / taper
    inside = (np.abs(across) < 1) & (np.abs(angle) < 1.08)
    side = np.clip(across, -1, 1) / np.maximum(radius, 1e-6)
    normal = np.stack([side * a, side * (b + 0.75), np.sqrt(np.clip(1 - across**2, 0, None))])
    return Surface(inside, _unit(normal), np.clip((np.abs(angle) - 0.85) / 0.1, 0, 1), 0.15)


def stretched(shape: Shape, a: np.ndarray, b: np.ndarray, turns: np.ndarray, *, wide: float, high: float) -> Surface:
    """A shape made wider and higher by factors; its normals are those of the stretched surface."""
    seen = shape(a / wide, b / high, turns)
    return seen._replace(normal=_unit(seen.normal / np.array([wide, high, 1.0])[:, None, None, None]))


def ball(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    """A smooth and shiny sphere."""
    return _round(a, b)._replace(gloss=0.8)


def cube(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    """A cube, turned."""
    return _polyhedron(a, b, turns, np.vstack([np.eye(3), -np.eye(3)]), np.full(6, 0.66))


def pyramid(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    """A pyramid on a square base, turned."""
    sides = np.array([[1.55, -0.85, 0], [-1.55, -0.85, 0], [0, -0.85, 1.55], [0, -0.85, -1.55]])
    length = np.hypot(1.55, 0.85)
    return _polyhedron(a, b, turns, np.vstack([sides / length, [[0, 1, 0]]]), np.array([*[0.85 / length] * 4, 0.55]))


SHAPES: dict[str, Shape] = {
    "apple": apple,
    "orange": orange,
    "banana": banana,
    "cube": cube,
    "ball": ball,
    "pyramid": pyramid,
}


def _round(a: np.ndarray, b: np.ndarray) -> Surface:
    square = a**2 + b**2
    depth = np.sqrt(np.clip(1 - square, 0, None))
    return Surface(square < 1, _unit(np.stack([a, b, depth])), np.zeros_like(a), 0.0)


def _polyhedron(a: np.ndarray, b: np.ndarray, turns: np.ndarray, faces: np.ndarray, offsets: np.ndarray) -> Surface:
    """The convex body of all p with faces @ p <= offsets, seen along z.

    Front faces bound z from above and back faces from below: the body is where the least upper bound is not below the
    greatest lower one, and what is seen is the face of the least upper bound.
    """
    turned = np.einsum("nij,fj->fni", _rotation(*turns), faces)
    # A face seen exactly from its edge would bound no z; so small a turn of it is not seen.
    across = np.where(np.abs(turned[..., 2]) < 1e-9, 1e-9, turned[..., 2])
    right, down, toward = (part[:, :, None, None] for part in (turned[..., 0], turned[..., 1], across))
    bound = (offsets[:, None, None, None] - right * a - down * b) / toward
    upper = np.where(toward > 0, bound, np.inf)
    lower = np.where(toward > 0, -np.inf, bound).max(axis=0)
    seen = upper.argmin(axis=0)
    rows = np.arange(len(a))[:, None, None]
    return Surface(upper.min(axis=0) >= lower, np.moveaxis(turned[seen, rows], -1, 0), np.zeros_like(a), 0.0)


def _rotation(yaw: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """Turn about the vertical axis, then tilt about the horizontal one: (n, 3, 3)."""
    (c, s), (p, q), zero, one = (np.cos(yaw), np.sin(yaw)), (np.cos(tilt), np.sin(tilt)), 0 * yaw, 0 * yaw + 1
    turn = np.stack([np.stack([c, zero, s]), np.stack([zero, one, zero]), np.stack([-s, zero, c])])
    lean = np.stack([np.stack([one, zero, zero]), np.stack([zero, p, -q]), np.stack([zero, q, p])])
    product: np.ndarray = np.einsum("ijn,jkn->nik", lean, turn)
    return product


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.sqrt((vectors**2).sum(axis=0))
    unit: np.ndarray = vectors / np.maximum(lengths, 1e-9)
    return unit
