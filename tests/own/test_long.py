"""Files of more rows than are learned from: read in pieces, chosen alike by every process, answered in full."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.data.own import _arrays, _blocks, _csv, _tables
from dareps.data.own._arrays import Arrays, read_arrays
from dareps.data.own._blocks import text_blocks, whole_records
from dareps.data.own._csv import read_csv
from dareps.data.own._reading import some
from dareps.data.own._rows import domain_rows
from dareps.data.own._streams import every_row, longer, pieces
from dareps.data.own._tables import Choice, batches, even, keyed_draws, table
from dareps.data.own.description import Description, described, located
from dareps.errors import DataError, StoreError
from dareps.recipe.own_data import load_description, whole
from dareps.suite._files import write_pieces

from ._files import cells, save, text

CELL = st.text(st.sampled_from('ab\n",'), max_size=4)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAREPS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def quoted(rows: list[list[str]]) -> str:
    return "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=6), st.integers(0, 60))
def test_blocks_end_between_records(rows: list[list[str]], cut: int) -> None:
    content = quoted(rows)
    ends = {len(quoted(rows[:count])) for count in range(len(rows) + 1)}
    assert whole_records(content[:cut]) == max(end for end in ends if end <= min(cut, len(content)))


@pytest.mark.parametrize("size", [40, 64, 200, 2**20])
def test_a_table_is_the_same_in_blocks_of_any_size(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = text(cells(50)).replace("Chur", '"Ch\nu""r"')
    path = save(tmp_path / "a.csv.gz", content)
    expected = read_csv(path)
    monkeypatch.setattr(_blocks, "BLOCK", size)
    assert "".join(text_blocks(path)) == content.replace("\r\n", "\n")
    assert (len(list(batches(path))) > 3) == (size < 1000)
    assert read_csv(path).equals(expected)


def test_long_lines_do_not_mislead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at the beginning ends between records; no line is too long."""
    head = ";".join(f"column {place}" for place in range(40))
    line = ";".join(f"{place},5" for place in range(40))
    path = save(tmp_path / "a.csv", "\n".join([head, *[line] * 20]))
    for look in (len(head) + 60, 100, 2**20):
        monkeypatch.setattr(_csv, "LOOK", look)
        frame = read_csv(path)
        assert (frame.height, frame.width, frame.columns[1]) == (20, 40, "column 1")
    save(path, f"a;b\n{'long ' * 40_000};1\n")
    assert read_csv(path).shape == (1, 2)


def test_lines_are_counted_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_blocks, "BLOCK", 32)
    lines = ["a,b", *(f"{row},{row}" for row in range(60))]
    for line, wrong in ((50, "1,2,3"), (41, "7")):
        spoilt = [*lines[: line - 1], wrong, *lines[line:]]
        with pytest.raises(DataError, match=f"line {line} has {wrong.count(',') + 1} cells, the first has 2"):
            read_csv(save(tmp_path / "a.csv", "\n".join(spoilt)))


def test_a_quote_that_nobody_closes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_blocks, "BLOCK", 32)
    monkeypatch.setattr(_blocks, "LONGEST", 128)
    path = save(tmp_path / "a.csv", "\n".join(["a,b", *["1,2"] * 20, '"3,4', *["5,6"] * 99]))
    with pytest.raises(DataError, match="no cell or line ends behind line 22"):
        read_csv(path)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(1, 12))
def test_the_choice_is_that_of_the_least_keys_however_rows_come(sizes: list[int], limit: int) -> None:
    n, choice, start = sum(sizes), Choice(limit), 0
    for size in sizes:
        numbers = np.arange(start, start + size)
        choice.add(pl.DataFrame({"a": numbers.astype(str)}, schema={"a": pl.String}), numbers)
        start += size
    found = choice.table()
    expected = np.sort(np.argsort(keyed_draws().random(n))[:limit])
    assert found.total == n
    assert found.frame["a"].cast(int).to_list() == expected.tolist()
    assert (found.numbers is None) == (n <= limit)
    arrays = some(Arrays(np.arange(n)[:, None], {"y": np.arange(n)}), limit)
    assert arrays.x[:, 0].tolist() == arrays.others["y"].tolist() == expected.tolist()


def test_what_all_rows_say_is_kept_with_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{'' if row == 7 else row},{'ab'[row % 2]}" for row in range(100)]
    lines[90], lines[95] = "many,a", "two,rare"
    path = save(tmp_path / "a.csv", "\n".join(["n,c", *lines]))
    first = table(path, 10)
    assert (first.total, first.frame.height) == (100, 10)
    monkeypatch.setattr(_tables, "batches", lambda _: pytest.fail("it was read again"))
    again = table(path, 10)
    assert again.frame.equals(first.frame)
    assert (again.numbers == first.numbers).all()  # type: ignore[union-attr]
    assert again.facts == first.facts
    number, letter = first.facts["n"], first.facts["c"]
    assert (number.gaps, number.strange, number.first, number.cell) == (1, 2, 90, "many")
    assert letter.values == ("a", "b", "rare")
    monkeypatch.undo()


def test_a_changed_file_is_chosen_from_anew(tmp_path: Path, cache: Path) -> None:
    path = save(tmp_path / "a.csv", "\n".join(["n", *map(str, range(50))]))
    assert table(path, 10).total == 50
    save(path, "\n".join(["n", *map(str, range(60))]))
    assert table(path, 10).total == 60
    for file in (cache / "built").glob("*.parquet"):
        file.write_bytes(b"broken")
    assert table(path, 10).total == 60


def test_without_a_cache_the_choice_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.csv", "\n".join(["n", *map(str, range(50))]))
    expected = table(path, 10).frame
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DAREPS_CACHE", str(tmp_path / "file"))
    assert table(path, 10).frame.equals(expected)


@pytest.mark.parametrize("heights", [[10], [1024, 1024], [3000, 1, 99], [70_000, 70_000]])
def test_pieces_are_of_whole_batches(heights: list[int]) -> None:
    frames = [pl.DataFrame({"a": np.arange(height)}) for height in heights]
    found = list(even(frames))
    assert pl.concat(found).equals(pl.concat(frames))
    assert all(own.height % 1024 == 0 for own in found[:-1])
    assert max(own.height for own in found) <= 65_536


def test_parquet_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"a": np.arange(100), "b": ["x", None] * 50})
    frame.write_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(_tables, "STEP", 30)
    found = list(batches(tmp_path / "a.parquet"))
    assert [own.height for own in found] == [30, 30, 30, 10]
    assert pl.concat(found).equals(frame)


def shop(folder: Path, rows: int = 200_000, lines: list[str] | None = None, **places: object) -> Description:
    lines = lines or text(cells(80)).splitlines()
    save(folder / "old.csv", "\n".join(lines))
    save(folder / "new.csv", text(cells(60, 1), label=False))
    given = {"name": "shop", "domains": {"old": {"file": "old.csv"}, "new": {"file": "new.csv"}}, "rows": rows}
    return located(described({**given, **places}, "shop"), folder)


def test_some_rows_are_learned_from_and_all_are_answered(tmp_path: Path) -> None:
    few, said = whole(shop(tmp_path, 20))
    every, _ = whole(shop(tmp_path))
    every = few.model_copy(update={"rows": every.rows})
    assert said[:2] == ["rows: old 80, new 60", said[1]]
    assert said[1].startswith("old: learns from 20 of its 80 rows")
    for name, n in (("old", 80), ("new", 60)):
        x, some_x = domain_rows(every, name).x, domain_rows(few, name).x
        streamed = np.concatenate(list(every_row(few, name)))
        assert (streamed == x).all()
        assert len(some_x) == 20
        assert (some_x == x[np.sort(np.argsort(keyed_draws().random(n))[:20])]).all()
        assert longer(few, name)
        assert not longer(every, name)


def test_classes_and_gaps_are_those_of_all_rows(tmp_path: Path) -> None:
    lines = text(cells(80)).splitlines()
    unseen = 1 + int(np.argmax(keyed_draws().random(80)))
    lines[unseen] = "1.5,,Bern,rare"
    own, said = whole(shop(tmp_path, 10, lines))
    assert own.tasks["bought"].classes == ("no", "rare", "yes")
    gaps = sum(line.split(",")[1] == "" for line in lines)
    assert any(line.startswith(f"missing in old: income {gaps}, ") for line in said)
    assert (domain_rows(own, "old").y["bought"] != 1).all()


def test_text_in_a_row_that_is_not_learned_from_is_refused_before_training(tmp_path: Path) -> None:
    lines = text(cells(80)).splitlines()
    unseen = 1 + int(np.argmax(keyed_draws().random(80)))
    lines[unseen] = "old,5.5,Bern,no"
    with pytest.raises(
        DataError, match=rf"column age: 1 of 80 cells are no numbers, the first in row {unseen - 1} \(from 0\) of old"
    ):
        whole(shop(tmp_path, 10, lines))
    own, _ = whole(shop(tmp_path))
    save(tmp_path / "old.csv", "\n".join(lines))
    with pytest.raises(DataError, match=rf"column age, row {unseen - 1} \(from 0\): a cell is no number, got 'old'"):
        list(pieces(own, "old", own.domains["old"]))


def test_of_domains_in_one_file_each_is_chosen_from(tmp_path: Path) -> None:
    season = [
        f"{line},{'season' if not n else 'summer' if n % 4 else 'winter'}"
        for n, line in enumerate(text(cells(80)).splitlines())
    ]
    places = {name: {"file": "old.csv", "column": "season"} for name in ("summer", "winter")}
    own, said = whole(shop(tmp_path, 15, season, domains=places, tasks={"bought": {}}))
    assert said[0] == "rows: summer 60, winter 20"
    assert [len(domain_rows(own, name).x) for name in places] == [15, 15]
    assert [sum(map(len, every_row(own, name))) for name in places] == [60, 20]
    places["spring"] = {"file": "old.csv", "column": "season"}
    with pytest.raises(DataError, match=r"no row has this in column season, got 'spring'.*There are summer, winter"):
        whole(shop(tmp_path, 15, season, domains=places, tasks={"bought": {}}))


def test_that_not_all_rows_are_learned_from_is_a_warning_of_suites(tmp_path: Path) -> None:
    shop(tmp_path)
    path = tmp_path / "shop.yaml"
    path.write_text("rows: 20\ndomains:\n  old: {file: old.csv}\n  new: {file: new.csv}\n")
    with pytest.warns(UserWarning, match="learns from 20 of its") as caught:
        load_description(path)
    assert len(caught) == 2
    path.write_text("rows: 80\ndomains:\n  old: {file: old.csv}\n  new: {file: new.csv}\n")
    load_description(path)


def test_large_arrays_are_mapped_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.arange(24.0).reshape(6, 2, 2), np.arange(6)
    np.savez(tmp_path / "a.npz", x=x, y=y, f=np.asfortranarray(x))
    np.savez_compressed(tmp_path / "b.npz", x=x, y=y)
    np.savez(tmp_path / "c.npz", x=np.asarray([{}] * 50, dtype=object))
    monkeypatch.setattr(_arrays, "MAPPED", 200)
    found = read_arrays(tmp_path / "a.npz", ".npz")
    assert isinstance(found.x, np.memmap)
    assert (found.x == x).all()
    assert (found.others["f"] == x).all()
    assert not isinstance(found.others["y"], np.memmap)
    with pytest.raises(DataError, match="not an NPZ file of arrays"):
        read_arrays(tmp_path / "c.npz", ".npz")
    monkeypatch.setattr(_arrays, "MOST", 400)
    assert len(read_arrays(tmp_path / "a.npz", ".npz").x) == 6
    with pytest.raises(DataError, match="more than 400 bytes would be read into memory"):
        read_arrays(tmp_path / "b.npz", ".npz")


def test_a_file_in_pieces_is_whole_or_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_pieces(path, ("a\n", "b\n"))
    assert path.read_text() == "a\nb\n"

    def broken() -> object:
        yield "c\n"
        raise DataError("row 7", "no number")

    with pytest.raises(DataError):
        write_pieces(path, broken())  # type: ignore[arg-type]
    assert path.read_text() == "a\nb\n"
    assert [own.name for own in tmp_path.iterdir()] == ["a.csv"]
    with pytest.raises(StoreError, match="cannot be written"):
        write_pieces(path / "below", ("a",))
