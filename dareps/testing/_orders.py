"""Samples with another order of their rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from hypothesis import strategies as st

from dareps.testing._draws import MAX_ROWS, Case, Space, samples


@st.composite
def permuted(draw: st.DrawFn, space: Space, *, of: Callable[[Space], st.SearchStrategy[Case]] = samples) -> Case:
    """Two samples and an order of rows for each, in which two rows have changed places.

    Such changes make up every order, and a number of a row means the same in samples of every size, so that samples
    shrink without the order getting in the way.
    """
    changes = {
        f"{side}_order": draw(st.tuples(_numbers_of_rows(), _numbers_of_rows())) for side in ("source", "target")
    }
    case = draw(of(space))
    sizes_of = (len(case.source), len(case.target))
    orders = {name: _swapped(n, *pair) for (name, pair), n in zip(changes.items(), sizes_of, strict=True)}
    return Case(case.source, case.target, orders)


@lru_cache
def _numbers_of_rows() -> st.SearchStrategy[int]:
    return st.integers(0, MAX_ROWS - 1)


def _swapped(n: int, first: int, second: int) -> list[int]:
    """The order of n rows in which two have changed places, counted round and round."""
    order = list(range(n))
    order[first % n], order[second % n] = order[second % n], order[first % n]
    return order
