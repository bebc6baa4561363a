"""Keep freed memory: a training step frees and takes the same blocks every time."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of the two settings in glibc's malloc.h."""
_LARGE = 1 << 30


@cache
def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed blocks instead of returning them to the system; false where there is no glibc.

    By default large blocks go back when freed, so that every step of a convolutional network pays for fresh pages.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGE)) and bool(mallopt(_TRIM_THRESHOLD, _LARGE))
