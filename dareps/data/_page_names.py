"""The topics, genres and words of the drawn pages, apart so that settings know them without numpy."""

from __future__ import annotations

from typing import Final

DOMAINS: Final = ("magazine", "intranet")
TOPICS: Final = ("sport", "health", "science", "news", "shop", "travel")
"""The two of a pair, one behind the other, use each other's words."""
GENRES: Final = ("article", "form", "gallery", "listing")
"""The first two are made of lines, the others of boxes; the first of either has prose, the second has terse words."""
SIDE: Final = 16
TOPIC_WORDS, REGISTER_WORDS, COMMON_WORDS = 7, 5, 12
WORDS: Final = len(TOPICS) * TOPIC_WORDS + 2 * REGISTER_WORDS + COMMON_WORDS
