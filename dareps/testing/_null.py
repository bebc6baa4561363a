"""Samples by a law of their own: where both sides follow one, and where a setting may show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from dareps.testing._draws import Case, Space, pattern, widths, with_classes


@st.composite
def alike(draw: st.DrawFn, space: Space) -> Case:
    """A law that both sides follow: the ends of the interval that it lives on, and its shape."""
    low, high = space.domain.low, space.domain.high
    first, width = draw(st.integers(0, 7)), draw(st.integers(1, 8))
    ends = [low + (high - low) * part / 16 for part in (first, first + width)]
    law = {"low": ends[0], "high": ends[1], "power": draw(st.integers(1, 3)), "width": draw(widths())}
    return Case(*null_rows(law, 16, space.beside), law)


@st.composite
def one_setting(draw: st.DrawFn, space: Space) -> Case:
    """A setting by name, and small samples on which it may show."""
    first = null_rows(_PROBE_LAWS[0] | _ends(space), 5, space.beside)
    return Case(*first, {"setting": draw(st.sampled_from(space.settings))})


def setting_probes(space: Space) -> tuple[Case, ...]:
    """Fixed samples, wide ones and narrow ones, of different sizes, that differ in law."""
    cases = []
    for law, n in zip(_PROBE_LAWS, (5, 7), strict=True):
        source, target = null_rows(law | _ends(space, law["share"]), n, space.beside)
        cases.append(Case(source, target[:-1]))
    return tuple(cases)


_PROBE_LAWS: Final = ({"power": 1, "width": 3, "share": 1.0}, {"power": 3, "width": 3, "share": 0.1})


def _ends(space: Space, share: float = 1.0) -> dict[str, float]:
    low, high = space.domain.low, space.domain.high
    return {"low": low, "high": low + share * (high - low)}


def null_rows(law: Mapping[str, Any], n: int, beside: int) -> tuple[np.ndarray, np.ndarray]:
    """n irregular rows of the law for each side, (n, d)."""
    sides = []
    for key in (10, 11):
        unit = pattern(n, law["width"], key) ** law["power"]
        sides.append(with_classes(law["low"] + (law["high"] - law["low"]) * unit, beside, key + 2))
    return sides[0], sides[1]
