"""The kinds and colours of the drawn objects, apart so that settings know them without numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DOMAINS: Final[Mapping[str, tuple[str, ...]]] = {
    "fruit": ("apple", "orange", "banana"),
    "solids": ("cube", "ball", "pyramid"),
}
KINDS: Final = (*DOMAINS["fruit"], *DOMAINS["solids"])
COLOURS: Final = ("red", "orange", "yellow", "green", "blue")
TYPICAL: Final[Mapping[str, Mapping[str, float]]] = {
    "apple": {"red": 0.55, "yellow": 0.15, "green": 0.3},
    "orange": {"orange": 0.85, "yellow": 0.05, "green": 0.1},
    "banana": {"yellow": 0.8, "green": 0.2},
    "cube": {"blue": 0.5, "red": 0.125, "orange": 0.125, "yellow": 0.125, "green": 0.125},
    "ball": {"red": 0.5, "orange": 0.125, "yellow": 0.125, "green": 0.125, "blue": 0.125},
    "pyramid": {"green": 0.5, "red": 0.125, "orange": 0.125, "yellow": 0.125, "blue": 0.125},
}
"""Share of each colour among the objects of a kind, where the correlation is 1."""
