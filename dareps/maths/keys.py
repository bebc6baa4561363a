"""Keys of keyed noise; needs no torch, so that data and keys of runs are known without it."""

from __future__ import annotations

import hashlib
from functools import lru_cache


@lru_cache(maxsize=4096)
def key_of(*parts: object) -> int:
    """A signed 64-bit key for a tuple of names and numbers, the same on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
