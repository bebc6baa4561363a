"""What the laws are tried on: arrays that Hypothesis draws and shrinks, never seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.types import Interval

_MAX_ROWS, _MAX_WIDTH = 6, 4
_GRID = 1024


@dataclass(frozen=True)
class Case:
    """One trial: two samples ((n, d) and (m, d), or a stack of them) and what else the law needs."""

    source: np.ndarray
    target: np.ndarray
    more: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """Plain lists and numbers, to print, to keep and to send between processes."""
        parts = {"source": self.source, "target": self.target, **self.more}
        return {name: part.tolist() if isinstance(part, np.ndarray) else part for name, part in parts.items()}


@lru_cache
def sizes(low: int = 2) -> st.SearchStrategy[int]:
    """Numbers of rows; two is the least that every loss of the family takes."""
    return st.integers(low, _MAX_ROWS)


@lru_cache
def widths(low: int = 1) -> st.SearchStrategy[int]:
    """Numbers of features."""
    return st.integers(low, _MAX_WIDTH)


@st.composite
def samples(draw: st.DrawFn, domain: Interval, *, even: bool = False, stack: tuple[int, ...] = ()) -> Case:
    """Two samples of any finite values in the domain, without subnormal numbers."""
    n, d = draw(sizes()), draw(widths())
    m = n if even else draw(sizes())
    source, target = (draw(_floats(domain, (*stack, rows, d))) for rows in (n, m))
    return Case(source, target)


@st.composite
def extreme(draw: st.DrawFn, domain: Interval) -> Case:
    """Two samples that each sit at one end of the domain, or any two samples."""
    case = draw(samples(domain, even=True))
    ends = draw(st.tuples(*[st.sampled_from((None, domain.low, domain.high))] * 2))
    sides = zip((case.source, case.target), ends, strict=True)
    source, target = (rows if end is None else np.full_like(rows, end) for rows, end in sides)
    return Case(source, target)


@lru_cache(maxsize=1024)
def _floats(domain: Interval, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """Strategies are kept: building one costs as much as drawing from it."""
    return arrays(np.float64, shape, elements=st.floats(domain.low, domain.high, allow_subnormal=False))


@st.composite
def unequal(draw: st.DrawFn, domain: Interval) -> Case:
    """Two samples with different numbers of rows."""
    case = draw(samples(domain))
    if len(case.source) != len(case.target):
        return case
    return Case(np.concatenate((case.source, case.source[:1])), case.target)


@st.composite
def permuted(draw: st.DrawFn, domain: Interval) -> Case:
    """Two samples and an order of rows for each."""
    case = draw(samples(domain))
    orders = {
        f"{side}_order": draw(st.permutations(range(len(rows))))
        for side, rows in (("source", case.source), ("target", case.target))
    }
    return Case(case.source, case.target, orders)


@st.composite
def on_grid(draw: st.DrawFn, domain: Interval, *, width: int = 1) -> Case:
    """Two samples on a grid of powers of two, so that moving and scaling them is exact in floating point."""
    n, m, d = draw(sizes()), draw(sizes()), draw(widths(width))
    source, target = (draw(grid_array(domain, (rows, d))) for rows in (n, m))
    return Case(source, target)


@lru_cache(maxsize=1024)
def grid_array(domain: Interval, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """Arrays of multiples of about a thousandth of the domain's width."""
    step = 2.0 ** math.floor(math.log2((domain.high - domain.low) / _GRID))
    low, high = math.ceil(domain.low / step), math.floor(domain.high / step)
    return arrays(np.int64, shape, elements=st.integers(low, high)).map(lambda rows: rows * step)


@st.composite
def shifted(draw: st.DrawFn, domain: Interval) -> Case:
    """Two samples in the middle half of the domain and a vector that keeps them in the domain."""
    middle, quarter = (domain.low + domain.high) / 2, (domain.high - domain.low) / 4
    case = draw(on_grid(Interval(middle - quarter, middle + quarter)))
    by = draw(grid_array(Interval(-quarter, quarter), case.source.shape[1:]))
    return Case(case.source, case.target, {"shift": by})


@st.composite
def turned(draw: st.DrawFn, domain: Interval) -> Case:
    """Two samples and the normal of the mirror at which they are reflected; reflections make every rotation."""
    case = draw(on_grid(Interval(domain.low / 2, domain.high / 2), width=2))
    normal = draw(arrays(np.int64, case.source.shape[1:], elements=st.integers(-3, 3)).filter(np.any))
    return Case(case.source, case.target, {"mirror": normal})


@st.composite
def scaled(draw: st.DrawFn, domain: Interval) -> Case:
    """Two samples and a factor below 1, a power of two."""
    case = draw(on_grid(domain))
    return Case(case.source, case.target, {"factor": draw(st.sampled_from((0.5, 0.25, 0.125)))})


@st.composite
def apart(draw: st.DrawFn, domain: Interval) -> Case:
    """Two samples that differ in mean, spread and shape; only their sizes are drawn."""
    n, m, d = draw(sizes(4)), draw(sizes(4)), draw(widths(2))
    unit = (pattern(n, d, 1), 0.5 + pattern(m, d, 2) ** 2 / 2)
    source, target = (domain.low + (domain.high - domain.low) * (0.1 + 0.6 * rows) for rows in unit)
    return Case(source, target)


def pattern(n: int, d: int, key: int) -> np.ndarray:
    """A fixed irregular array (n, d) in [0, 1]."""
    return np.random.Generator(np.random.Philox(key=key)).random((n, d))
