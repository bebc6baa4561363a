"""The names of drawn fruit, apart so that settings know them without numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VARIETIES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "apple": ("gala", "granny_smith", "golden"),
    "orange": ("navel", "mandarin", "blood_orange"),
    "banana": ("cavendish", "lady_finger", "red_banana"),
}
FRUIT: Final = tuple(VARIETIES_OF)
VARIETIES: Final = tuple(variety for varieties in VARIETIES_OF.values() for variety in varieties)
RIPENESS: Final = ("unripe", "ripe", "overripe")
DOMAINS: Final = ("stall", "stall2", "studio")
