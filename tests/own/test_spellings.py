"""Values, separators and headers that people and programs write in several ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dareps.data.own._csv import has_header, separator_of
from dareps.data.own._kinds import ambiguous, as_numbers, canonical, column_kind, one_spelling, respelled
from dareps.data.own._rows import domain_rows
from dareps.data.own._streams import pieces
from dareps.errors import DataError

from ._files import save
from ._found import both, found, kinds


@pytest.mark.parametrize(
    ("cells_", "numbers"),
    [
        (["1.5", "2", None], [1.5, 2, None]),
        (["1,5", "2"], [1.5, 2]),
        (["12.5%", "3 %", "0,5%"], [0.125, 0.03, 0.005]),
        (["1'234", "12'345'678.5", "1"], [1234, 12345678.5, 1]),
        (["1 234,5", "1\u00a0234", "1\u202f234"], [1234.5, 1234, 1234]),
        (["1,234,567", "x"], [None, None]),
        (["12 34", "%", "1''234", "5 %%"], [None, None, None, None]),
        (["inf", "1e3"], [None, 1000]),
    ],
)
def test_how_numbers_are_written(cells_: list[str | None], numbers: list[float | None]) -> None:
    assert as_numbers(pl.Series(cells_, dtype=pl.String)).to_list() == pytest.approx(numbers)


@pytest.mark.parametrize(
    ("cell", "apart"),
    [("1,234,567", True), ("1,234.5", True), ("1.234,5", True), ("1.234.567", True), ("1,5", False), ("1.234", False)],
)
def test_marks_between_thousands_are_refused(cell: str, apart: bool) -> None:
    column = pl.Series("pay", [cell, *(f"{row}.5" for row in range(20))])
    if apart:
        with pytest.raises(DataError, match=f"column pay: 1 cells have marks between thousands, got '{cell}'"):
            column_kind("own", column)
    else:
        assert column_kind("own", column).kind == "number"


def test_a_comma_that_may_mean_both_is_told(tmp_path: Path) -> None:
    own, said = both(tmp_path, "pay", lambda row: f'"{row},{100 + row}"')
    assert kinds(own)["pay"] == "number"
    assert "column pay: 1,101 is read with a decimal comma; write 1101 if a comma stands between thousands" in said
    for cells_ in (["1,5", "2,250"], ["0,125"], ["1.125"]):
        assert ambiguous(pl.Series(cells_)) == ""


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        ("1.0", "1"),
        ("-2.00", "-2"),
        ("1.50", "1.50"),
        ("True", "true"),
        ("FALSE", "false"),
        ("v1.0", "v1.0"),
        ("1.", "1."),
    ],
)
def test_spellings_of_a_value(value: str, spelling: str) -> None:
    assert canonical(value) == spelling


def test_values_are_spelled_as_where_they_come_first() -> None:
    assert one_spelling(pl.Series(["1", "0", "1.0", "0.0", None])).to_list() == ["1", "0", "1", "0", None]
    assert respelled(pl.Series(["1", "true", "x"]), ("1.0", "True")).to_list() == ["1.0", "True", "x"]
    assert respelled(pl.Series(["1", "1.0"]), ("1", "1.0")).to_list() == ["1", "1.0"]


def test_labels_and_categories_may_be_spelled_in_two_ways(tmp_path: Path) -> None:
    head, rows = "a,ok,y", range(30)
    save(tmp_path / "s.csv", "\n".join([head, *(f"{row * 1.5},{row % 3 == 0},{row % 2}" for row in rows)]))
    save(
        tmp_path / "t.csv", "\n".join([head, *(f"{row * 1.5},{str(row % 3 == 0).lower()},{row % 2}.0" for row in rows)])
    )
    own, _ = found(tmp_path, tasks={"y": {}})
    assert own.tasks["y"].classes == ("0", "1")
    assert own.columns["ok"].categories == ("False", "True")
    source, target = domain_rows(own, "s"), domain_rows(own, "t")
    assert (source.x == target.x).all()
    assert (source.y["y"] == target.y["y"]).all()
    assert (np.concatenate(list(pieces(own, "t", own.domains["t"]))) == target.x).all()


def test_separators_and_headers_that_are_hard_to_see() -> None:
    assert separator_of(["a", "1,5", "2,5"]) == ";"
    assert separator_of(["a", "1.5", "2"]) == ","
    assert has_header([["", "a"], ["0", "1.5"], ["1", "2.5"]])
    assert has_header([["a", "a"], ["1", "1.5"], ["1", "2.5"]])
    assert not has_header([["x", "x"], ["x", "y"], ["z", "y"]])


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ([["", "city", "y"], ["0", "a", "yes"], ["1", "b", "no"]], True),
        ([["", "city"], ["0", ""]], True),
        ([["", "city", "y"], ["0", "a", "yes"], ["1", "city", "no"]], False),
        ([["", "city", "y"], ["0.5", "a", "yes"], ["1", "b", "no"]], False),
        ([["", "city", "y"], ["0", "a", "yes"], ["", "b", "no"]], False),
        ([["", "", "y"], ["0", "a", "yes"]], False),
        ([["", "y", "y"], ["0", "a", "b"]], False),
        ([["city", ""], ["a", "0"]], False),
        ([["", "city"]], False),
        ([[""], ["0"]], False),
    ],
)
def test_row_numbers_have_no_name(rows: list[list[str]], header: bool) -> None:
    assert has_header(rows) == header


def test_tables_as_pandas_writes_them(tmp_path: Path) -> None:
    """Row numbers come first, under no name."""
    for name in ("s", "t"):
        save(
            tmp_path / f"{name}.csv",
            "\n".join([",city,y", *(f"{row},{'abc'[row % 3]},yes{row % 2}" for row in range(30))]),
        )
    own, said = found(tmp_path)
    assert own.tasks["y"].classes == ("yes0", "yes1")
    assert kinds(own) == {"city": "category"}
    assert "column column1: ignored, it numbers rows: each number is there once" in said
    assert domain_rows(own, "s").x.shape == (30, 2)
