"""Scenes of one fruit each, their labels and their pixels; see `dareps.data.varieties.Varieties`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dareps.data._drawing import GREY, LIGHT, Scenery, Shown, pictures, swing, tints
from dareps.data._draws import kept, uniform
from dareps.data._roots import cached_arrays, digest_of
from dareps.data._surfaces import Surface
from dareps.data._variety_names import FRUIT, RIPENESS, VARIETIES, VARIETIES_OF
from dareps.data._variety_shapes import LOOKS, Variety

VERSION = 1
SIZE, SPREAD = 0.6, 0.15
"""Mean radius of all fruit, in halves of the image's side, and by which share of it radii of a variety differ."""
ROLL, MOVE = 0.6, 0.22
"""Largest roll in radians, and largest shift in halves of the image's side."""
SHADE = 0.06
"""Half-width of a colour's variation within its variety."""
GREEN = np.array([0.20, 0.52, 0.14])
DULL = np.array([0.38, 0.24, 0.10])
WITHIN = 0.3
"""How far a fruit may be from the middle of its ripeness, where neighbours are 1 apart."""
TURNED_GREEN, TURNED_DULL = 0.65, 0.5
"""Shares of green and brown one step from ripe."""
SPOTS, LAST_SPOT = 9, 1.3
"""Brown spots appear one after the other with ripeness, the last at this distance above ripe."""
# What the studio has at full shift, beside the settings' own values.
DARK, SIDEWAYS, SMALLER, CAST = 0.08, (0.75, -0.2, 0.45), 0.8, (-0.22, 0.0, 0.28)


@dataclass(frozen=True, slots=True)
class Look:
    """The settings of `dareps.data.varieties.Varieties` that pixels and full labels depend on, for one part."""

    count: int
    pose: float
    background: float
    light: float
    noise: float
    shift: float


@dataclass(frozen=True, slots=True)
class Scenes(Shown):
    """n scenes as numbers.

    Attributes:
        variety: Position in `VARIETIES`, (n,).
        ripeness: Position in `RIPENESS`, (n,).
        level: How far it is from ripe, (n,): below 0 towards green, above towards brown.
        shade: What is added to red, green and blue, (3, n).
        pattern: What the pattern is drawn from, (2, n) in [0, 1).
        spots: Right, down and size of each brown spot, (3 SPOTS, n), in the fruit's radius.
    """

    variety: np.ndarray
    ripeness: np.ndarray
    level: np.ndarray
    shade: np.ndarray
    pattern: np.ndarray
    spots: np.ndarray


def classes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Varieties and ripenesses (count,) of which every pair occurs equally often, to one row."""
    number = np.arange(count)
    return number % len(VARIETIES), (number + number // len(VARIETIES)) % len(RIPENESS)


def scenery(look: Look) -> Scenery:
    """What is around the fruit: the studio's is plain, dark and lit from the other side, and its camera is better."""
    aside = tuple((1 - look.shift) * here + look.shift * there for here, there in zip(LIGHT, SIDEWAYS, strict=True))
    return Scenery(
        background=look.background * (1 - look.shift),
        noise=look.noise * (1 - look.shift / 2),
        plain=(1 - look.shift) * GREY + look.shift * DARK,
        light=(aside[0], aside[1], aside[2]),
    )


def scenes(domain: str, part: str, look: Look) -> Scenes:
    """The scenes of a part (`train` or `test`) of a domain."""
    key = ("varieties", VERSION, domain, part)
    variety, ripeness = classes(look.count)
    sizes = SIZE * np.array([LOOKS[name].size for name in VARIETIES])[variety]
    pose = look.pose * swing(look.count, 3, *key, "pose")
    place, extent = uniform(look.count, 3 * SPOTS, *key, "spots").reshape(3, SPOTS, -1), (0.10, 0.20)
    spots = np.stack([2 * place[0] - 1, 2 * place[1] - 1, extent[0] + (extent[1] - extent[0]) * place[2]])
    return Scenes(
        variety=variety,
        ripeness=ripeness,
        level=ripeness - 1 + WITHIN * swing(look.count, 1, *key, "level")[0],
        shade=SHADE * swing(look.count, 3, *key, "shade"),
        pattern=uniform(look.count, 2, *key, "pattern"),
        spots=spots.reshape(3 * SPOTS, -1),
        radius=sizes * SMALLER**look.shift * (1 + SPREAD * swing(look.count, 1, *key, "size")[0]),
        place=MOVE * pose[:2],
        roll=ROLL * pose[2],
        tint=tints(look.count, look.light, *key, "light") * np.exp(look.shift * np.array(CAST))[:, None],
        ground=uniform(look.count, 10, *key, "background"),
    )


@lru_cache(maxsize=12)
def rendered(domain: str, part: str, look: Look) -> dict[str, np.ndarray]:
    """Pixels `x` (n, 3, 32, 32) uint8 and full labels of all tasks (n,) int64, from the user cache."""
    name = digest_of(np.frombuffer(repr(look).encode(), dtype=np.uint8))
    return cached_arrays(f"varieties-{VERSION}-{domain}-{part}-{name}", lambda: render(domain, part, look))


def render(domain: str, part: str, look: Look) -> dict[str, np.ndarray]:
    """Draw the scenes; see `rendered`."""
    whole = scenes(domain, part, look)
    x = pictures(whole, _painted, scenery(look), "varieties", VERSION, domain, part, "noise")
    fruit = np.array([FRUIT.index(name) for name, own in VARIETIES_OF.items() for _ in own])[whole.variety]
    labels = {"fruit": fruit, "variety": whole.variety, "ripeness": whole.ripeness}
    return {"x": x} | {task: y.astype(np.int64) for task, y in labels.items()}


def left(labels: np.ndarray, share: float, *key: object) -> np.ndarray:
    """Labels (n,) of which a share of every class stays, at least one each, and the others are -1."""
    return kept(labels, max(share, 1 / np.bincount(labels).min()), -1, *key)


def _painted(part: Scenes, a: np.ndarray, b: np.ndarray) -> Iterator[tuple[np.ndarray, Surface, np.ndarray]]:
    for number in np.unique(part.variety):
        rows = np.flatnonzero(part.variety == number)
        own, level = LOOKS[VARIETIES[number]], part.level[rows, None, None]
        seen = own.shape(a[rows], b[rows], np.zeros((2, len(rows))))
        brown = _spots(part.spots[:, rows], a[rows], b[rows], level)
        share = own.pattern(a[rows], b[rows], part.pattern[:, rows])
        yield rows, seen._replace(mark=np.maximum(seen.mark, brown)), _paint(own, share, part.shade[:, rows], level)


def _paint(own: Variety, share: np.ndarray, shade: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Colours (3, n, g, g) of a variety whose second colour has this share (n, g, g), at levels (n, 1, 1)."""
    first, second, green, dull = (
        np.array(colour)[:, None, None, None] for colour in (own.colour, own.second, GREEN, DULL)
    )
    unripe, over = TURNED_GREEN * np.clip(-level, 0, None), TURNED_DULL * np.clip(level, 0, None)
    ripe = first + (second - first) * share + shade[:, :, None, None]
    colour: np.ndarray = np.clip(ripe + (green - ripe) * unripe + (dull - ripe) * over, 0, 1)
    return colour


def _spots(draws: np.ndarray, a: np.ndarray, b: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Share of brown (n, g, g) of the spots that fruit of these levels (n, 1, 1) have."""
    brown = np.zeros_like(a)
    for number, (right, down, extent) in enumerate(draws.reshape(3, SPOTS, -1, 1, 1).swapaxes(0, 1)):
        appears = LAST_SPOT * (number + 1) / SPOTS
        strength = 0.9 * np.clip((level - appears) / 0.2 + 1, 0, 1)
        brown = np.maximum(brown, strength * np.exp(-((a - right) ** 2 + (b - down) ** 2) / (2 * extent**2)))
    return brown
