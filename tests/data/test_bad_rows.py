from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.data._base import DomainRows
from dareps.data._checks import check_finite
from dareps.data.split import make_split
from dareps.errors import DataError

from ._drawn import drawn, numbered

GOOD = numbered([0, 1, 2] * 4)


def with_x(x: np.ndarray) -> DomainRows:
    return DomainRows(x, {"kind": np.zeros(len(x), dtype=np.int64)})


def with_y(*y: float) -> DomainRows:
    return DomainRows(np.ones((len(y), 1), dtype=np.float32), {"kind": np.array(y)})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_x(np.array([[1.0], [np.nan], [2.0]])), "NaN or infinite features, the first is row, got 1"),
        (with_x(np.array([[1.0], [2.0], [-np.inf]])), "NaN or infinite features, the first is row, got 2"),
        (with_x(np.zeros((0, 1))), "expected rows of features"),
        (with_x(np.zeros(5)), "expected rows of features"),
        (with_y(0, 1, 3), "outside the classes, got 3"),
        (with_y(0, -1.5, 2), "outside the classes, got -1.5"),
        (with_y(0, 0.5, 2), "outside the classes, got 0.5"),
        (with_y(0, np.nan, 2), "outside the classes, got nan"),
        (DomainRows(np.ones((3, 1)), {"kind": np.zeros(2)}), "expected 3 labels"),
        (DomainRows(np.ones((3, 1)), {"kind": np.zeros((3, 1))}), "list of numbers"),
        (DomainRows(np.ones((3, 1)), {"kind": np.array(["x", "y", "z"])}), "list of numbers"),
        (DomainRows(np.ones((3, 1)), {"other": np.zeros(3)}), "labels of a task are missing"),
        (DomainRows(GOOD.x, GOOD.y, np.ones((2, 7)), {"kind": np.zeros(2)}), "different shapes"),
        (DomainRows(GOOD.x, GOOD.y, np.full((2, 1), np.nan), {"kind": np.zeros(2)}), "b test: 2 of 2 rows hold NaN"),
    ],
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_bad_rows_are_one_message(rows: DomainRows, message: str, side: str) -> None:
    split = drawn(b=rows, a=GOOD)()
    sides = (("b",), ("a",)) if side == "source" else (("a",), ("b",))
    with pytest.raises(DataError, match=message) as caught:
        make_split(split, *sides, 0)
    assert "drawn/b" in str(caught.value)


def test_domains_of_different_shapes_are_one_message() -> None:
    wide = DomainRows(np.ones((12, 2), dtype=np.float32), GOOD.y)
    with pytest.raises(DataError, match=r"different shapes, got \{'a': \(1,\), 'b': \(2,\)\}"):
        make_split(drawn(a=GOOD, b=wide)(), ("a",), ("b",), 0)


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_the_quick_check_of_a_sum_misses_nothing(values: list[float]) -> None:
    x = np.array(values, dtype=np.float32)[:, None]
    if np.isfinite(x).all():
        check_finite("here", x)
    else:
        with pytest.raises(DataError):
            check_finite("here", x)
