"""Files that say something else than they mean: each works, or is refused in a sentence that says what to do."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from dareps.data.own._rows import domain_rows
from dareps.errors import DataError

from ._files import cells, images, save, text
from ._found import KINDS, SOURCE, TARGET, Each, both, found, kinds, with_column

PLAIN: dict[str, bytes] = {
    "byte order mark": ("\ufeff" + SOURCE).encode(),
    "lines of three systems": SOURCE.encode(),
    "lines ended by returns alone": SOURCE.replace("\r\n", "\r").encode(),
    "two bytes a letter": SOURCE.encode("utf-16"),
    "packed without an ending": gzip.compress(SOURCE.encode()),
    "quoted line breaks": SOURCE.replace("Chur", '"Ch\nur"').encode(),
    "empty lines between": SOURCE.replace("\r\n", "\r\n\r\n").encode(),
    "no line break at the end": SOURCE.strip().encode(),
}


@pytest.mark.parametrize("shape", PLAIN)
def test_what_is_only_written_in_another_way_works(shape: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes(PLAIN[shape])
    own, _ = found(tmp_path)
    assert kinds(own) == KINDS
    assert domain_rows(own, "s").x.shape == (80, 6)


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("s.csv", SOURCE)
    return content.getvalue()


REFUSED = {
    "s.zip": (zipped(), "an archive is not read, got '.zip'. Unpack it"),
    "s.csv": (zipped(), "no text but a zip archive or a spreadsheet. Unpack it"),
    "s.xlsx": (zipped(), "a spreadsheet is not read, got '.xlsx'. Save its sheet as CSV"),
    "s.xls": (b"", "Save its sheet as CSV"),
    "s.csv.bz2": (b"", "only gzip is unpacked"),
    "s.txt": (b"PAR1", "a Parquet file. Let its name end in .parquet"),
    "s.dat": ("a,b\n1,2\n".encode("utf-16-le"), "two bytes a letter without a mark"),
    "s.jpg": (b"", "one image is no set of rows"),
    "s.npy": (b"", "np.savez"),
    "s.json": (b"[]", "Save it as CSV or Parquet"),
    "s.tsv": (SOURCE.replace("income", "age", 1).encode(), "two columns have one name, got 'age'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_says_what_to_do(name: str, tmp_path: Path) -> None:
    content, message = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        found(tmp_path, name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


TEXTS = {
    "blanks between cells": ("a b y\n" + "1.5 2 0\n2 3 1\n" * 9, "look as if ' ' did"),
    "carets between cells": ("a^b^y\n" + "1.5^2^0\n2^3^1\n" * 9, "look as if '^' did"),
    "a comment before the header": ("# mine\n" + SOURCE, "line 2 has 4 cells, the first has 1"),
    "a quote inside a cell": (SOURCE.replace("Chur", 'Ch"ur', 1), "has a quote without a partner"),
    "a quote that nobody closes": (SOURCE.replace("Chur", '"Chur', 1), "cells, the first has 4"),
    "a long line": (SOURCE.replace("no\r\n", "no,1\r\n", 1), "5 cells, the first has 4"),
}


@pytest.mark.parametrize("shape", TEXTS)
def test_texts_that_are_not_cut_alike_say_where(shape: str, tmp_path: Path) -> None:
    content, message = TEXTS[shape]
    save(tmp_path / "s.csv", content)
    with pytest.raises(DataError) as caught:
        found(tmp_path)
    assert message in str(caught.value)


IGNORED: dict[str, tuple[Each, Each, str]] = {
    "constant": (lambda _: 7, lambda _: 7, "it does not vary"),
    "day": (
        lambda row: f"2024-0{row % 9 + 1}-{row % 28 + 1}",
        lambda _: "2023-01-05",
        "it holds dates, such as 2024-02-2",
    ),
    "time": (lambda row: f"{row % 28 + 1}.02.2024 12:0{row % 10}", lambda _: "1.1.24", "it holds dates"),
    "row": (lambda row: row, lambda row: row, "it counts rows"),
    "number": (lambda row: row * 37 % 80, lambda row: row * 7 % 60, "it numbers rows"),
    "customer_id": (
        lambda row: row * 7919 % 99991,
        lambda row: 99991 + row * 7919 % 99991,
        "it names rows: by its name",
    ),
    "userId": (lambda row: row * 7919 % 99991, lambda row: row * 101 % 99991, "it names rows: by its name"),
    "code": (lambda row: f"A{row}", lambda row: f"B{row}", "it is text of 140 different values"),
}


@pytest.mark.parametrize("name", IGNORED)
def test_columns_that_say_nothing_are_ignored_and_told(name: str, tmp_path: Path) -> None:
    source, target, why = IGNORED[name]
    own, said = both(tmp_path, name, source, target)
    assert kinds(own) == KINDS
    assert any(line.startswith(f"column {name}: ignored, {why}") for line in said), said


def test_a_column_is_what_one_says_it_is(tmp_path: Path) -> None:
    both(tmp_path, "customer_id", lambda row: row * 7919 % 99991)
    own, _ = found(tmp_path, columns={"customer_id": {"kind": "number"}, "age": {"kind": "ignore"}})
    assert kinds(own) == {"customer_id": "number", "income": "number", "city": "category"}


def test_measures_are_not_taken_for_names_of_rows(tmp_path: Path) -> None:
    """All different, but with decimals, or whole without a name that says so; or an id that comes back."""
    for name, each in (
        ("mass_id", lambda row: row * 1.5),
        ("steps", lambda row: row * 7919 % 99991),
        ("shop_id", lambda row: row // 2),
    ):
        own, _ = both(tmp_path, name, each)
        assert kinds(own)[name] == "number"


def test_names_of_rows_in_a_small_file_are_no_categories(tmp_path: Path) -> None:
    for name in ("s.csv", "t.csv"):
        save(tmp_path / name, with_column("\n".join(SOURCE.splitlines()[:16]), "who", lambda row: f"person {row}"))
    own, said = found(tmp_path, tasks={"bought": {}})
    assert "who" not in own.columns
    assert "column who: ignored, it names rows: its texts are all different" in said


def test_an_index_without_a_name_is_a_header_still(tmp_path: Path) -> None:
    for name, content in (("s.csv", SOURCE), ("t.csv", TARGET)):
        save(
            tmp_path / name,
            "\n".join(f"{row - 1 if row else ''},{line}" for row, line in enumerate(content.splitlines())),
        )
    own, said = found(tmp_path)
    assert kinds(own) == KINDS
    assert "column column1: ignored, it counts rows" in said


def test_columns_may_stand_in_any_order_and_be_more(tmp_path: Path) -> None:
    frame = pl.DataFrame({"more": [1.5, 2.5], "city": ["Bern", "Chur"], "income": [3000.0, 1.0], "age": [30.0, 40.0]})
    frame.write_parquet(tmp_path / "t.parquet")
    own, said = found(tmp_path, target="t.parquet", tasks={"bought": {}})
    assert domain_rows(own, "t").x[:, :2].tolist() == [[30, 3000], [40, 1]]
    assert "column more: ignored, only some files have it" in said


def test_a_file_without_a_header_is_told(tmp_path: Path) -> None:
    save(tmp_path / "s.csv", text(cells(40), header=False))
    save(tmp_path / "t.csv", text(cells(40, 1), header=False, label=False))
    own, said = found(tmp_path)
    assert list(own.tasks) == ["column4"]
    assert "s: its first line names no columns, they are called column1, column2, ..." in said


def test_files_with_nothing_in_common_say_why(tmp_path: Path) -> None:
    save(tmp_path / "t.csv", "foo,bar\n1.5,2\n2,3.5\n")
    with pytest.raises(DataError, match=r"it is not clear which column is the label.*--label NAME"):
        found(tmp_path)
    with pytest.raises(DataError, match="no column is left to learn from, got 'column age: ignored, only some files"):
        found(tmp_path, tasks={"bought": {}})


def test_lists_and_records_are_ignored_or_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"a": [1.0, 2.5, 3.0] * 5, "l": [[1], [2], []] * 5, "r": [{"q": 1}] * 15, "y": ["u", "v", "u"] * 5}
    )
    frame.write_parquet(tmp_path / "s.parquet")
    frame.drop("y").write_parquet(tmp_path / "t.parquet")
    files = ("s.parquet", "t.parquet")
    own, said = found(tmp_path, *files)
    assert kinds(own) == {"a": "number"}
    assert "column l: ignored, it holds List(Int64)" in said
    for more in (
        {"columns": {"l": {"kind": "category"}}},
        {"tasks": {"r": {}}},
        {"columns": {"r": {"kind": "number"}}},
    ):
        with pytest.raises(DataError, match="its cells are lists, records or bytes"):
            found(tmp_path, *files, **more)


def test_categories_of_parquet_are_texts(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"a": [1.0, 2.5, 3.5] * 5, "c": ["u", "v", None] * 5, "e": ["p", "q", "p"] * 5, "y": ["n", "m", "n"] * 5}
    )
    frame = frame.with_columns(pl.col("c", "y").cast(pl.Categorical), pl.col("e").cast(pl.Enum(["q", "p"])))
    frame.with_columns(pl.Series("b", [b"x", b"y", b"z"] * 5)).write_parquet(tmp_path / "s.parquet")
    frame.drop("y").with_columns(pl.Series("b", [b"x"] * 15)).write_parquet(tmp_path / "t.parquet")
    own, said = found(tmp_path, "s.parquet", "t.parquet")
    assert kinds(own) == {"a": "number", "c": "category", "e": "category"}
    assert own.tasks["y"].classes == ("m", "n")
    assert "column b: ignored, it holds Binary" in said


def test_folders_and_files_in_place_of_one_another(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    save(tmp_path / "tables" / "a.csv", SOURCE)
    with pytest.raises(DataError, match=r"no images in this folder, got 'a\.csv'.*Tables are given file by file"):
        found(tmp_path, "tables")
    images(tmp_path / "pictures")
    with pytest.raises(DataError, match="the domains' files differ in what they hold"):
        found(tmp_path, "pictures")
