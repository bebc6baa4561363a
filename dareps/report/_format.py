"""How figures are written in tables and sentences: accuracies in percent, differences in points."""

from __future__ import annotations

import math
from collections.abc import Sequence

NONE = "\u2013"


def percent(value: float | None) -> str:
    """0.7654 -> 76.5."""
    return NONE if value is None or math.isnan(value) else f"{100 * value:.1f}"


def interval(low: float | None, high: float | None, share: bool = True) -> str:
    """`[75.9, 77.1]`, cut at 100, and a share at 0 too: Student's t knows nothing of the range of an accuracy."""
    return NONE if low is None or high is None else f"[{percent(within(low, share))}, {percent(within(high, share))}]"


def within(value: float, share: bool = True) -> float:
    """A figure brought back to at most 1, and a share to at least 0."""
    return min(max(value, 0.0) if share else value, 1.0)


def capital(word: str) -> str:
    """`accuracy` -> `Accuracy`, as a title begins."""
    return word[:1].upper() + word[1:]


def points(value: float | None) -> str:
    """A difference with its sign: 0.012 -> +1.2."""
    return NONE if value is None else f"{100 * value + 0.0:+.1f}".replace("-", "\u2212").replace("\u22120.0", "+0.0")


def probability(value: float | None) -> str:
    """A p value with three digits."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def listed(names: Sequence[str], most: int = 12) -> str:
    """`a, b and c`; what goes beyond `most` is counted."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" and {shown[-1]}" if shown else "none"


def counted(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
