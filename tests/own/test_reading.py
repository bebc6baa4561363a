"""Files as people have them are read, or refused in one sentence; nothing in them is executed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file
from sklearn.datasets import dump_svmlight_file

from dareps.data.own._csv import has_header, read_csv, separator_of
from dareps.data.own._images import LABEL, names, read_images
from dareps.data.own._kinds import as_numbers, as_text
from dareps.data.own._reading import Arrays, read
from dareps.errors import DataError

from ._files import cells, images, save, text

ROWS = cells()

SHAPES = {
    "commas": ("a.csv", text(ROWS), "utf-8"),
    "semicolons and decimal commas": ("a.csv", text(ROWS, ";", comma=True), "utf-8"),
    "tabs": ("a.tsv", text(ROWS, "\t"), "utf-8"),
    "bars": ("a.txt", text(ROWS, "|", gap="NA"), "utf-8"),
    "packed": ("a.csv.gz", text(ROWS, gap="NaN"), "utf-8"),
    "byte order mark": ("a.csv", "\ufeff" + text(ROWS, ";"), "utf-8"),
    "two bytes a letter": ("a.csv", text(ROWS), "utf-16"),
    "question marks for gaps": ("a.csv", text(ROWS, gap="?"), "utf-8"),
    "blanks around cells": ("a.csv", text(ROWS, ";").replace(";", " ; "), "utf-8"),
    "lines of another system": ("a.csv", text(ROWS).replace("\r\n", "\n"), "utf-8"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_table_gives_the_same_rows(shape: str, tmp_path: Path) -> None:
    name, content, encoding = SHAPES[shape]
    frame = read_csv(save(tmp_path / name, content, encoding))
    assert frame.columns == ["age", "income", "city", "bought"]
    assert as_numbers(frame["age"]).to_list() == [row[0] for row in ROWS]
    assert as_numbers(frame["income"]).to_list() == [row[1] for row in ROWS]
    assert [cell or None for cell in as_text(frame["city"]).to_list()] == [row[2] for row in ROWS]


def test_a_table_without_a_header_names_its_columns_by_number(tmp_path: Path) -> None:
    frame = read_csv(save(tmp_path / "a.csv", text(ROWS, header=False)))
    assert frame.columns == ["column1", "column2", "column3", "column4"]
    assert frame.height == len(ROWS)


def test_accents_in_an_old_encoding(tmp_path: Path) -> None:
    frame = read_csv(save(tmp_path / "a.csv", "stadt,wert\nZ\u00fcrich,1\nGen\u00e8ve,2\n", "cp1252"))
    assert frame["stadt"].to_list() == ["Z\u00fcrich", "Gen\u00e8ve"]


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        (["a,b;c", "1,2;3"], ","),
        (["a;b", "1,5;2", "3;4,5"], ";"),
        (["a", "b"], ","),
        (['"a;b",c', '"d;e",f'], ","),
    ],
)
def test_the_separator_cuts_all_lines_alike(lines: list[str], separator: str) -> None:
    assert separator_of(lines) == separator


def test_headers_are_names() -> None:
    assert has_header([["a", "b"], ["c", "d"]])
    assert not has_header([["a", "1"], ["b", "2"]])
    assert not has_header([["a", "a"], ["b", "2"]])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "holds no rows"),
        ("a.csv", b"a,b\n", "a header and no rows"),
        ("a.csv", b"a,b\n1,2\n3,4,5\n6,7\n", r"not a table \(line 3 has 3 cells, the first has 2"),
        ("a.csv", b"a,b\n1,2\n3\n5,6\n", "line 3 has 1 cells, the first has 2"),
        ("a.csv", b"\x00\x01\x02" * 99, "no text"),
        ("a.csv.gz", b"\x1f\x8b broken", "cannot be read"),
        ("a.parquet", b"PAR1 not", "not a Parquet file"),
        ("a.npz", b"PK not", "not an NPZ file"),
        ("a.safetensors", b"not one", "not a safetensors file"),
        ("a.svmlight", b"1 x:y\n", "not an svmlight file"),
        ("a.pkl", b"", "pickles are never loaded"),
        ("a.xyz", b"", "no file of rows is known"),
    ],
)
def test_broken_files_are_refused_in_one_sentence(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


class Bomb:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_objects_in_arrays_are_never_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    np.savez(tmp_path / "a.npz", x=np.asarray([Bomb(trace)], dtype=object))
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(Bomb(trace)))
    for name in ("a.npz", "b.pkl"):
        with pytest.raises(DataError):
            read(tmp_path / name)
    assert not trace.exists()


def test_arrays_by_name_or_by_shape(tmp_path: Path) -> None:
    x, y = np.arange(12.0).reshape(6, 2), np.asarray(["a", "b"] * 3)
    np.savez(tmp_path / "a.npz", features=x, kind=y, scale=np.ones(3))
    np.savez(tmp_path / "b.npz", anything=x, kind=y)
    save_file({"x": x, "y": np.arange(6)}, tmp_path / "c.safetensors")
    for name, other in (("a.npz", "kind"), ("b.npz", "kind"), ("c.safetensors", "y")):
        found = read(tmp_path / name)
        assert isinstance(found, Arrays)
        assert (found.x == x).all()
        assert list(found.others) == [other]
    np.savez(tmp_path / "d.npz", one=x, two=x)
    with pytest.raises(DataError, match="no array is known to be the inputs"):
        read(tmp_path / "d.npz")


def test_sparse_rows(tmp_path: Path) -> None:
    x = np.asarray([[0, 1.5, 0], [2, 0, 0], [0, 0, 3]])
    dump_svmlight_file(x, [0, 1, 0], str(tmp_path / "a.svmlight"))
    found = read(tmp_path / "a.svmlight")
    assert isinstance(found, Arrays)
    assert (found.x == x).all()
    assert found.others["label"].tolist() == [0, 1, 0]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1, None, 3], "b": ["x", "y", None], "c": [True, False, True]}).write_parquet(
        tmp_path / "a.parquet"
    )
    frame = read(tmp_path / "a.parquet")
    assert isinstance(frame, pl.DataFrame)
    assert as_numbers(frame["a"]).to_list() == [1, None, 3]
    assert as_text(frame["c"]).to_list() == ["true", "false", "true"]


def test_images_of_all_modes_and_sizes_become_one_shape(tmp_path: Path) -> None:
    found = read_images(images(tmp_path / "pictures", count=7), side=16)
    assert (found.x.shape, found.x.dtype) == ((14, 3, 16, 16), np.uint8)
    assert found.others[LABEL].tolist() == ["cat"] * 7 + ["dog"] * 7
    assert names(tmp_path / "pictures")[0] == "cat/00.jpg"
    alone = read_images(images(tmp_path / "alone", classes=()), side=8)
    assert alone.others == {}


def test_an_image_of_one_colour_keeps_it(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (50, 20), (10, 200, 30)).save(tmp_path / "a.png")
    x = read_images(tmp_path, side=8).x
    assert (x == np.asarray([10, 200, 30], np.uint8)[:, None, None]).all()


def test_images_are_decoded_once_and_again_when_one_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    from dareps.data import _decoding

    monkeypatch.setenv("DAREPS_CACHE", str(tmp_path / "cache"))
    folder, decoded = images(tmp_path / "pictures"), []
    original = _decoding.pixels
    monkeypatch.setattr(_decoding, "pixels", lambda path, *how: decoded.append(path) or original(path, *how))
    first, second = (read_images(folder, side=8).x for _ in range(2))
    assert isinstance(first, np.memmap)
    assert (first == second).all()
    assert len(decoded) == 8
    Image.new("RGB", (9, 9)).save(folder / "cat" / "00.jpg")
    assert (read_images(folder, side=8).x[0] == 0).all()
    assert len(decoded) == 16


def test_broken_images_are_named(tmp_path: Path) -> None:
    folder = images(tmp_path / "pictures")
    (folder / "cat" / "01.jpg").write_bytes((folder / "cat" / "00.jpg").read_bytes()[:200])
    with pytest.raises(DataError, match=r"01\.jpg: the image cannot be read"):
        read_images(folder)
    with pytest.raises(DataError, match="there are no images"):
        read_images(tmp_path / "nothing")
    (folder / "cat" / "01.jpg").unlink()
    (folder / "stray.png").write_bytes((folder / "cat" / "00.jpg").read_bytes())
    with pytest.raises(DataError, match="some images lie in sub-folders"):
        read_images(folder)
