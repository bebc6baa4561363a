"""`adapt` and `predict` on files of more rows than are learned from."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from dareps import load
from dareps.data.own import _blocks, _streams, _tables
from dareps.data.own._streams import every_row
from dareps.recipe.own_data import load_description
from tests.own._files import cells, save, text

from ._ask import ask, refused

QUICK = ("--seeds", 1, "--workers", 1, "--recipes", "source_only", "phases.*.steps=10")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `adapt` made of 90 and 3000 rows, of which it learned from 60 each."""
    path = tmp_path_factory.mktemp("long")
    save(path / "old.csv", text(cells(90)))
    save(path / "new.csv", text([*cells(2980, 1), *cells(90)[:20]], label=False))
    words = ("--source", path / "old.csv", "--target", path / "new.csv", "--rows", 60, "--column", "city=ignore")
    result = ask("adapt", *words, "--out", path / "out", *QUICK)
    assert result.exit_code == 0, result.stderr
    (path / "said.txt").write_text(result.stdout)
    (path / "warned.txt").write_text(result.stderr)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def model(folder: Path) -> Path:
    [found] = (folder / "out" / "models").iterdir()
    return found


def test_all_rows_are_predicted_in_their_order(folder: Path) -> None:
    said = (folder / "said.txt").read_text()
    assert "new: learns from 60 of its 3,000 rows" in said
    assert "Predictions of all 3,000 rows: " in said
    found = rows(folder / "out" / "predictions.csv")
    assert [int(row["row"]) for row in found] == list(range(3000))
    kind, own = load_description(folder / "out" / "own.yaml"), load(model(folder))
    assert list(kind.description.columns) == ["age", "income"]
    shares = own.predict_proba(np.concatenate(list(every_row(kind.description, "new"))))
    assert [row["prediction"] for row in found] == [own.classes[label] for label in shares.argmax(axis=1)]
    np.testing.assert_allclose([float(row["confidence"]) for row in found], shares.max(axis=1), atol=1e-6)


def test_doubles_are_looked_for_among_all_rows(folder: Path) -> None:
    """Rows of the source at the end of the target are found, learned from or not."""
    known = {row[:2] for row in cells(90)}
    own = [row[:2] for row in (*cells(2980, 1), *cells(90)[:20])]
    both = sum(row in known for row in own)
    assert both >= 20
    assert f"{both} of 3000 rows of new are rows of the source as well" in (folder / "warned.txt").read_text()


def test_the_page_says_what_its_figures_are_of(folder: Path) -> None:
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "<p>3000 rows of" in page
    assert "those of 60 rows that were chosen at random" in page


@pytest.mark.parametrize("sets", [(), ("--sets", "0.8")])
def test_pieces_are_answered_as_one_file_is(
    sets: tuple[str, ...], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ask("predict", model(folder), folder / "new.csv", *sets)
    assert whole.exit_code == 0, whole.stderr
    monkeypatch.setattr(_blocks, "BLOCK", 2000)
    monkeypatch.setattr(_tables, "EVEN", 128)
    monkeypatch.setattr(_tables, "TOGETHER", 256)
    seen: list[int] = []
    usual = _streams.raw
    monkeypatch.setattr(_streams, "raw", lambda *words: seen.append(len(words[2])) or usual(*words))
    result = ask("predict", model(folder), folder / "new.csv", "--out", tmp_path / "p.csv", *sets)
    assert (result.exit_code, result.stdout) == (0, f"3000 rows: {tmp_path / 'p.csv'}\n")
    assert len(seen) > 9
    ours, theirs = rows(tmp_path / "p.csv"), list(csv.DictReader(whole.stdout.splitlines()))
    assert [row["row"] for row in ours] == [str(number) for number in range(3000)]
    assert [row | {"confidence": ""} for row in ours] == [row | {"confidence": ""} for row in theirs]
    assert [row["class"] for row in ours] == [row["prediction"] for row in rows(folder / "out" / "predictions.csv")]


def test_a_fault_late_in_a_file_leaves_no_half_of_an_answer(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (folder / "new.csv").read_text().splitlines()
    lines[2500] = "old,5.5,Bern"
    save(tmp_path / "new.csv", "\n".join(lines))
    monkeypatch.setattr(_blocks, "BLOCK", 4000)
    message = refused("predict", model(folder), tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert "column age, row 2499 (from 0): a cell is no number, got 'old'" in message
    assert not (tmp_path / "p.csv").exists()


def test_other_numbers_of_rows_are_another_answer(folder: Path, tmp_path: Path) -> None:
    words = ("--source", folder / "old.csv", "--target", folder / "new.csv", "--column", "city=ignore")
    message = refused("adapt", *words, "--rows", 50, "--out", folder / "out", *QUICK)
    assert "an answer about other files, or other rows of them" in message
    assert "not a column and its kind" in refused("adapt", *words[:4], "--column", "city", "--out", tmp_path / "o")
