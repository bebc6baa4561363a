"""Nine varieties of fruit: their forms, sizes, colours when ripe, and what is painted over these.

Shape legend as in `_surfaces`: `n` objects, `g` points along each side of the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from dareps.data._surfaces import BANANA, Shape, Surface, apple, orange, peel, stretched, tube

Pattern = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(a (n, g, g), b (n, g, g), draws (2, n) in [0, 1)) -> share of the second colour, (n, g, g) in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Variety:
    """What one variety looks like when it is ripe.

    Attributes:
        shape: Its form.
        size: Its radius as a share of the mean of all.
        colour: Red, green and blue in [0, 1].
        second: The colour of its pattern.
        pattern: Where that colour is.
    """

    shape: Shape
    size: float
    colour: tuple[float, float, float]
    second: tuple[float, float, float]
    pattern: Pattern


def plain(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """No second colour."""
    return np.zeros_like(a)


def streaks(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Streaks from stem to bottom, stronger on one side."""
    phase, angle = 2 * np.pi * draws[:, :, None, None]
    along = a / np.sqrt(np.clip(1.2 - b**2, 0.2, None))
    side = 0.5 + 0.5 * (np.cos(angle) * a + np.sin(angle) * b)
    share: np.ndarray = np.clip(side + 0.35 * np.sin(13 * along + phase), 0, 0.9)
    return share


def flush(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """One side, of any size up to most of the fruit."""
    reach, angle = draws[0, :, None, None], 2 * np.pi * draws[1, :, None, None]
    share: np.ndarray = np.clip(0.1 + 0.5 * reach + 0.9 * (np.cos(angle) * a + np.sin(angle) * b), 0, 0.85)
    return share


def calyx(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """A green star of five points at the top, where the stem was."""
    down = (b + 0.62) / 0.6
    share: np.ndarray = np.clip(4 * (0.24 + 0.1 * np.cos(5 * np.arctan2(a, down)) - np.hypot(a, down)), 0, 1)
    return share


def dots(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Pale dots at even distances."""
    first, second = 2 * np.pi * draws[:, :, None, None]
    share: np.ndarray = np.clip(3 * (np.sin(11 * a + first) * np.sin(11 * b + second) - 0.6), 0, 0.8)
    return share


def _round_apple(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    return stretched(apple, a, b, turns, wide=1.0, high=0.93)._replace(gloss=0.5)


def _tall_apple(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    # Narrower towards the bottom.
    return stretched(apple, a * (1 + 0.14 * b), b, turns, wide=0.93, high=1.1)._replace(gloss=0.2)


def _flat_orange(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    return stretched(peel, a, b, turns, wide=1.05, high=0.82)._replace(gloss=0.25)


def _long_banana(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    return tube(BANANA * a, BANANA * b, half=1.08, width=0.3)


def _short_banana(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    return tube(BANANA * a, BANANA * b, half=0.82, width=0.37)


def _thick_banana(a: np.ndarray, b: np.ndarray, turns: np.ndarray) -> Surface:
    return tube(BANANA * a, BANANA * b, half=0.98, width=0.4)


LOOKS: Final[Mapping[str, Variety]] = {
    "gala": Variety(apple, 0.95, (0.95, 0.74, 0.30), (0.80, 0.14, 0.14), streaks),
    "granny_smith": Variety(_round_apple, 1.06, (0.70, 0.82, 0.26), (0.80, 0.88, 0.50), dots),
    "golden": Variety(_tall_apple, 1.0, (0.93, 0.84, 0.34), (0.95, 0.62, 0.38), flush),
    "navel": Variety(orange, 1.1, (0.97, 0.58, 0.08), (0.97, 0.58, 0.08), plain),
    "mandarin": Variety(_flat_orange, 0.88, (0.96, 0.47, 0.05), (0.25, 0.40, 0.12), calyx),
    "blood_orange": Variety(peel, 0.98, (0.94, 0.50, 0.12), (0.62, 0.10, 0.14), flush),
    "cavendish": Variety(_long_banana, 1.1, (0.97, 0.85, 0.20), (0.97, 0.85, 0.20), plain),
    "lady_finger": Variety(_short_banana, 0.95, (0.98, 0.86, 0.32), (0.98, 0.86, 0.32), plain),
    "red_banana": Variety(_thick_banana, 1.0, (0.66, 0.22, 0.18), (0.90, 0.55, 0.30), flush),
}
