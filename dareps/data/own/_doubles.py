"""Rows that occur twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def shared_rows(sources: Sequence[np.ndarray], target: np.ndarray) -> tuple[int, int, int]:
    """How many target rows are source rows too, how many are one another's doubles, and how many there are.

    Args:
        sources: Raw rows (n, *shape) of each source.
        target: Raw rows (m, *shape).
    """
    known = {row.tobytes() for x in sources for row in np.ascontiguousarray(x)}
    own = [row.tobytes() for row in np.ascontiguousarray(target)]
    return sum(row in known for row in own), len(own) - len(set(own)), len(own)


def told_rows(target: str, both: int, doubles: int, count: int) -> list[str]:
    """A sentence for each that is not nothing."""
    texts = []
    if both:
        texts.append(
            f"{both} of {count} rows of {target} are rows of the source as well, whose labels were learned: figures on "
            "them say nothing of new rows."
        )
    if doubles > count // 20:
        texts.append(f"{doubles} of {count} rows of {target} occur more than once.")
    return texts
