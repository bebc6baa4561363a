"""What the laws are tried on: arrays that Hypothesis draws and shrinks, never seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.types import Interval

MAX_ROWS, _MAX_WIDTH = 6, 4
_GRID = 1024


@dataclass(frozen=True)
class Space:
    """Where samples come from.

    Attributes:
        domain: The interval of all their numbers.
        beside: Columns beside the features: logits and a label, or none.
        largest: The largest magnitude that is promised to be finite in float32.
        settings: Names of the loss's own settings.
    """

    domain: Interval
    beside: int = 0
    largest: float = 1e6
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One trial: two samples ((n, d) and (m, d), or a stack of them) and what else the law needs."""

    source: np.ndarray
    target: np.ndarray
    more: Mapping[str, Any] = field(default_factory=dict)

    def shown(self, beside: int = 0) -> dict[str, Any]:
        """Plain lists and numbers, to print, to keep and to send between processes."""
        parts: dict[str, Any] = {}
        for side, rows in (("source", self.source), ("target", self.target)):
            parts[side] = rows[..., : rows.shape[-1] - beside]
            if beside:
                parts[f"{side}_beside"] = rows[..., -beside:]
        return {name: _plain(part) for name, part in {**parts, **self.more}.items()}


def _plain(part: Any) -> Any:
    return part.tolist() if isinstance(part, np.ndarray) else part


@lru_cache
def sizes(low: int = 2) -> st.SearchStrategy[int]:
    """Numbers of rows; two is the least that every loss of the family takes."""
    return st.integers(low, MAX_ROWS)


@lru_cache
def widths(low: int = 1) -> st.SearchStrategy[int]:
    """Numbers of features."""
    return st.integers(low, _MAX_WIDTH)


@st.composite
def samples(draw: st.DrawFn, space: Space, *, even: bool = False, stack: tuple[int, ...] = ()) -> Case:
    """Two samples of any finite values in the domain, without subnormal numbers."""
    n, d = draw(sizes()), draw(widths()) + space.beside
    m = n if even else draw(sizes())
    source, target = (draw(_floats(space.domain, (*stack, rows, d))) for rows in (n, m))
    return Case(source, target)


@st.composite
def extreme(draw: st.DrawFn, space: Space) -> Case:
    """Two samples that each sit at one end of the domain, or any two samples."""
    case = draw(samples(space, even=True))
    ends = draw(st.tuples(*[st.sampled_from((None, space.domain.low, space.domain.high))] * 2))
    sides = zip((case.source, case.target), ends, strict=True)
    source, target = (rows if end is None else np.full_like(rows, end) for rows, end in sides)
    return Case(source, target)


@lru_cache(maxsize=1024)
def _floats(domain: Interval, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """Strategies are kept: building one costs as much as drawing from it."""
    return arrays(np.float64, shape, elements=st.floats(domain.low, domain.high, allow_subnormal=False))


@st.composite
def unequal(draw: st.DrawFn, space: Space) -> Case:
    """Two samples with different numbers of rows."""
    case = draw(samples(space))
    if len(case.source) != len(case.target):
        return case
    return Case(np.concatenate((case.source, case.source[:1])), case.target)


@st.composite
def on_grid(draw: st.DrawFn, space: Space, *, width: int = 1) -> Case:
    """Two samples on a grid of powers of two, so that moving and scaling them is exact in floating point."""
    n, m, d = draw(sizes()), draw(sizes()), draw(widths(width)) + space.beside
    source, target = (draw(grid_array(space.domain, (rows, d))) for rows in (n, m))
    return Case(source, target)


@lru_cache(maxsize=1024)
def grid_array(domain: Interval, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """Arrays of multiples of about a thousandth of the domain's width."""
    step = 2.0 ** math.floor(math.log2((domain.high - domain.low) / _GRID))
    low, high = math.ceil(domain.low / step), math.floor(domain.high / step)
    return arrays(np.int64, shape, elements=st.integers(low, high)).map(lambda rows: rows * step)


@st.composite
def shifted(draw: st.DrawFn, space: Space) -> Case:
    """Two samples in the middle half of the domain and a vector that keeps them in the domain."""
    domain = space.domain
    middle, quarter = (domain.low + domain.high) / 2, (domain.high - domain.low) / 4
    case = draw(on_grid(replace(space, domain=Interval(middle - quarter, middle + quarter))))
    by = draw(grid_array(Interval(-quarter, quarter), (case.source.shape[1] - space.beside,)))
    return Case(case.source, case.target, {"shift": by})


@st.composite
def turned(draw: st.DrawFn, space: Space, *, of: Callable[..., st.SearchStrategy[Case]] = on_grid) -> Case:
    """Two samples and the normal of the mirror at which they are reflected; reflections make every rotation.

    Where no ball around 0 is part of the domain, the mirror exchanges two features, which leaves no domain.
    """
    radius = min(-space.domain.low, space.domain.high)
    # Four features of half the radius are as far from 0 as the radius.
    domain = Interval(-radius / 2, radius / 2) if radius > 0 else space.domain
    case = draw(of(replace(space, domain=domain), width=2))
    width = case.source.shape[1] - space.beside
    anywhere = arrays(np.int64, (width,), elements=st.integers(-3, 3)).filter(np.any)
    return Case(case.source, case.target, {"mirror": draw(anywhere if radius > 0 else _exchanges(width))})


def _exchanges(width: int) -> st.SearchStrategy[np.ndarray]:
    """Normals of the mirrors that exchange two features."""
    unit = np.eye(width, dtype=np.int64)
    return st.sampled_from([unit[i] - unit[j] for i in range(width) for j in range(i)])


@st.composite
def scaled(draw: st.DrawFn, space: Space) -> Case:
    """Two samples and a factor below 1 that keeps them in the domain, a power of two where 0 is part of that."""
    low, high, factor = space.domain.low, space.domain.high, draw(st.sampled_from((0.5, 0.25, 0.125)))
    if not _has_zero(space.domain):
        near, far = sorted((abs(low), abs(high)))
        factor = max(factor, (near / far) ** 0.5)
        low, high = (low / factor, high) if low > 0 else (low, high / factor)
    case = draw(on_grid(replace(space, domain=Interval(low, high))))
    return Case(case.source, case.target, {"factor": factor})


def _has_zero(domain: Interval) -> bool:
    return domain.low <= 0 <= domain.high


@st.composite
def apart(draw: st.DrawFn, space: Space) -> Case:
    """Two samples that differ in mean, spread and shape; only their sizes are drawn."""
    n, m, d = draw(sizes(4)), draw(sizes(4)), draw(widths(2))
    unit = (pattern(n, d, 1), 0.5 + pattern(m, d, 2) ** 2 / 2)
    low, high = space.domain.low, space.domain.high
    source, target = (low + (high - low) * (0.1 + 0.6 * rows) for rows in unit)
    return Case(with_classes(source, space.beside, 3), with_classes(target, space.beside, 4))


def with_classes(rows: np.ndarray, beside: int, key: int) -> np.ndarray:
    """Rows with logits and labels beside them, every class among them, some surer than others."""
    if not beside:
        return rows
    classes = beside - 1
    label = np.arange(len(rows)) % classes
    sure = np.where(np.arange(len(rows)) % 2, 1.5, 5)[:, None]
    logits = 16 * (pattern(len(rows), classes, key) + sure * np.eye(classes)[label])
    return np.concatenate((rows, logits, label[:, None]), 1)


@st.composite
def generic(draw: st.DrawFn, space: Space, *, width: int = 1) -> Case:
    """Two samples of drawn numbers in general position: no two are equal, so that no kink is near."""
    n, m, d = draw(sizes(3)), draw(sizes(3)), draw(widths(width))
    domain = space.domain
    step = (domain.high - domain.low) / 16
    sides = []
    for rows, key in ((n, 5), (m, 6)):
        cells = draw(arrays(np.int64, (rows, d), elements=st.integers(0, 11)))
        features = domain.low + step * (cells + 1 + 3 * pattern(rows, d, key))
        sides.append(with_classes(features, space.beside, key + 2))
    return Case(sides[0], sides[1])


@st.composite
def degenerate(draw: st.DrawFn, space: Space) -> Case:
    """Two samples with some of: a side whose rows are all equal, a row said twice, a column that never changes."""
    case = draw(samples(space))
    sides = []
    for rows in (case.source, case.target):
        kind = draw(st.sampled_from(("collapsed", "duplicated", "constant column", "as drawn")))
        rows = rows.copy()
        if kind == "collapsed":
            rows[:] = rows[0]
        elif kind == "duplicated":
            rows[1] = rows[0]
        elif kind == "constant column":
            rows[:, 0] = rows[0, 0]
        sides.append(rows)
    return Case(sides[0], sides[1])


@st.composite
def single(draw: st.DrawFn, space: Space) -> Case:
    """Two samples of which one has, or both have, a single row."""
    case = draw(samples(space))
    which = draw(st.sampled_from(("source", "target", "both")))
    source, target = (
        rows if which not in (side, "both") else rows[:1]
        for side, rows in (("source", case.source), ("target", case.target))
    )
    return Case(source, target)


@st.composite
def large(draw: st.DrawFn, space: Space) -> Case:
    """Two samples with numbers of up to the largest magnitude that is promised to be finite in float32.

    A domain without 0 is not left, because nothing is promised beyond it.
    """
    case = draw(samples(space))
    near, end = sorted((abs(space.domain.low), abs(space.domain.high)))
    if not _has_zero(space.domain):
        most = max(near, space.largest)
        return Case(case.source.clip(-most, most), case.target.clip(-most, most))
    factor = draw(st.sampled_from((1.0, 0.5, 1e-3))) * space.largest / end
    return Case(case.source * factor, case.target * factor)


@st.composite
def spoilt(draw: st.DrawFn, space: Space) -> Case:
    """Two samples and the place of one feature of either side."""
    case = draw(samples(space))
    places = {
        side: (draw(st.integers(0, len(rows) - 1)), draw(st.integers(0, rows.shape[1] - space.beside - 1)))
        for side, rows in (("source", case.source), ("target", case.target))
    }
    return Case(case.source, case.target, places)


@st.composite
def dealt(draw: st.DrawFn, space: Space) -> Case:
    """Two samples of two or three rows, few enough to deal their rows out in every possible way."""
    d = draw(widths()) + space.beside
    source, target = (draw(grid_array(space.domain, (rows, d))) for rows in (2, draw(st.integers(2, 3))))
    return Case(source, target)


def pattern(n: int, d: int, key: int) -> np.ndarray:
    """A fixed irregular array (n, d) in [0, 1]."""
    return np.random.Generator(np.random.Philox(key=key)).random((n, d))
