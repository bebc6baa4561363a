"""Faces of the process in `_portrait_process` as images, and the two settings in which they are taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dareps.data._draws import uniform
from dareps.data._portrait_process import FEATURES, deviations, faces
from dareps.data._roots import cached_arrays, digest_of

VERSION = 1
SIDE, CHUNK = 32, 256
SOFT = 2 / SIDE
"""Edges fade over a pixel, so that pixels follow features smoothly."""
SKIN, DARK, WHITE, BACK = 0.72, 0.1, 0.95, 0.45
# How a street differs from a studio at full strength: half-widths.
SHIFT, BRIGHTNESS, SLOPE = 0.12, 0.3, 0.22


@dataclass(frozen=True, slots=True)
class Sitting:
    """The settings of `dareps.data.portraits.Portraits` that pixels and full labels depend on, for one part."""

    count: int
    noise: float
    street: float


@lru_cache(maxsize=8)
def taken(domain: str, part: str, sitting: Sitting) -> dict[str, np.ndarray]:
    """Pixels `x` (n, 1, 32, 32) uint8, `group` (n,) int64 and `age` (n,) float64, from the user cache."""
    name = digest_of(np.frombuffer(repr(sitting).encode(), dtype=np.uint8))
    return cached_arrays(f"portraits-{VERSION}-{domain}-{part}-{name}", lambda: take(domain, part, sitting))


def take(domain: str, part: str, sitting: Sitting) -> dict[str, np.ndarray]:
    """Draw the faces and their surroundings; see `taken`."""
    people = faces(sitting.count, sitting.noise, VERSION, domain, part)
    strength = sitting.street if domain == "street" else 0.0
    scene = strength * (2 * uniform(sitting.count, 5, "portraits", VERSION, domain, part, "scene") - 1)
    looks = np.tanh(people.features / (2 * deviations(sitting.noise))).T
    starts = range(0, sitting.count, CHUNK)
    x = np.concatenate([_drawn(looks[:, i : i + CHUNK], scene[:, i : i + CHUNK]) for i in starts])
    return {"x": np.rint(255 * x).astype(np.uint8)[:, None], "group": people.group, "age": people.age}


def _drawn(looks: np.ndarray, scene: np.ndarray) -> np.ndarray:
    """Faces (n, 32, 32) in [0, 1] of looks (7, n) in (-1, 1) and scenes (5, n) in [-1, 1]."""
    right, down, bright, *slope = (values[:, None, None] for values in scene)
    line = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
    v, u = line[None, :, None] - SHIFT * down, line[None, None, :] - SHIFT * right
    image = BACK + SLOPE * (slope[0] * u + slope[1] * v)
    for value, cover in _layers(u, v, dict(zip(FEATURES, looks[:, :, None, None], strict=True))):
        image = image + (value - image) * cover
    picture: np.ndarray = np.clip(image * (1 + BRIGHTNESS * bright), 0, 1)
    return picture


def _layers(u: np.ndarray, v: np.ndarray, look: dict[str, np.ndarray]) -> list[tuple[np.ndarray | float, np.ndarray]]:
    """Brightness and cover of each part of a face, from the back to the front; each feature has a part of its own."""
    face = _ellipse(u, v - 0.08, 0.56 + (0.06 + 0.1 * look["cheeks"]) * _step(v - 0.2, 0.5), 0.78)
    line = -0.5 - 0.16 * look["hairline"] + 0.25 * u**2
    inner, outer, side = np.abs(u) - 0.24, 0.3, 0.13
    eyes = 0.07 - 0.035 * look["eyes"]
    brow = 0.045 + 0.025 * look["brows"]
    nose = 0.22 + 0.1 * look["nose"]
    crease = np.maximum(_bar(v + 0.23, 0.025), _bar(v + 0.12, 0.025)) * _bar(u, outer)
    return [
        (0.35 + 0.3 * look["grey"], _ellipse(u, v + 0.02, 0.68, 0.86)),
        (SKIN, face),
        (0.3, face * _cover(v - line)),
        (SKIN - 0.22 * (1 + look["wrinkles"]), crease),
        (DARK, _bar(v - 0.02, brow) * _bar(inner, side)),
        (WHITE, _ellipse(inner, v - 0.22, side, eyes)),
        (DARK, _ellipse(inner, v - 0.22, 0.05, eyes)),
        (0.5, _bar(u, 0.05) * _bar(v - 0.23 - nose / 2, nose / 2)),
        (0.4, _bar(u, 0.2) * _bar(v - 0.66, 0.035)),
    ]


def _ellipse(u: np.ndarray, v: np.ndarray, width: np.ndarray | float, height: np.ndarray | float) -> np.ndarray:
    """Cover of an ellipse around the origin with these half-axes."""
    radius = np.sqrt((u / width) ** 2 + (v / height) ** 2)
    return _cover((radius - 1) * np.minimum(width, height))


def _bar(place: np.ndarray, half: np.ndarray | float) -> np.ndarray:
    """Cover of the strip |place| < half."""
    return _cover(np.abs(place) - half)


def _cover(distance: np.ndarray) -> np.ndarray:
    return np.clip(0.5 - distance / SOFT, 0, 1)


def _step(place: np.ndarray, width: float) -> np.ndarray:
    """0 before -width / 2, 1 after width / 2, smooth between."""
    share = np.clip(place / width + 0.5, 0, 1)
    smooth: np.ndarray = share**2 * (3 - 2 * share)
    return smooth
