"""An output folder of `adapt` that was moved, copied or left without the files that it was made from."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from dareps import load
from dareps.commands.adapt import continues
from dareps.data.own.description import described
from dareps.engine import checkpoint
from dareps.engine.saving import MODEL
from tests.own._files import cells, save, text

from ._ask import ask, refused, spawned

QUICK = ("--seeds", 1, "--workers", 1, "--recipes", "source_only", "phases.*.steps=10")


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tables and what `adapt` made of them in `out`."""
    folder = tmp_path_factory.mktemp("before")
    save(folder / "old.csv", text(cells(60)))
    save(folder / "new.csv", text(cells(30, 1), label=False))
    result = ask(
        "adapt", "--source", folder / "old.csv", "--target", folder / "new.csv", "--out", folder / "out", *QUICK
    )
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def moved(answer: Path, tmp_path: Path) -> Path:
    """The output folder alone, in a folder with blanks in its name; nothing else is left of it all."""
    shutil.copytree(answer, tmp_path / "before")
    place = tmp_path / "else where"
    place.mkdir()
    (tmp_path / "before" / "out").rename(place / "an answer")
    own = place / "an answer" / "own.yaml"
    own.write_text(own.read_text().replace(str(answer), str(tmp_path / "before")))
    shutil.rmtree(tmp_path / "before")
    return place / "an answer"


def model(out: Path) -> Path:
    [folder] = (out / "models").iterdir()
    return folder


def hidden(monkeypatch: pytest.MonkeyPatch, answer: Path) -> None:
    """Make the place where the model was trained look empty."""
    usual = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: answer not in path.parents and usual(path))


def test_a_moved_model_predicts_a_file(moved: Path, answer: Path, tmp_path: Path) -> None:
    save(tmp_path / "rows.csv", text(cells(30, 1), label=False))
    found = ask("predict", model(moved), tmp_path / "rows.csv")
    assert found.exit_code == 0, found.stderr
    with (answer / "out" / "predictions.csv").open() as file:
        expected = [row["prediction"] for row in csv.DictReader(file)]
    assert [line.split(",")[1] for line in found.stdout.splitlines()[1:]] == expected


def test_it_does_from_any_folder_and_by_a_relative_path(moved: Path, tmp_path: Path) -> None:
    save(tmp_path / "rows.csv", text(cells(5, 1), label=False))
    own = Path(os.path.relpath(model(moved), moved.parent))
    result = spawned("predict", own, Path("..") / "rows.csv", cwd=moved.parent)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 6


def test_a_model_file_alone_is_enough(answer: Path, tmp_path: Path) -> None:
    shutil.copy(model(answer / "out") / MODEL, tmp_path / MODEL)
    x = np.asarray([[40.0, 3000.0, 1.0, 0.0, 0.0, 0.0]])
    assert (load(tmp_path / MODEL).predict_proba(x) == load(model(answer / "out")).predict_proba(x)).all()


def test_another_answer_in_the_old_place_is_not_asked(answer: Path, moved: Path, tmp_path: Path) -> None:
    """The record of the model counts, and not what lies where its description was."""
    record = checkpoint.load(model(moved) / MODEL)[1]
    assert record["description"].startswith("name: own\n")
    tensors, _ = checkpoint.load(model(moved) / MODEL)
    (tmp_path / "before" / "out").mkdir(parents=True)
    other = (answer / "out" / "own.yaml").read_text().replace("age", "shoe_size")
    (tmp_path / "before" / "out" / "own.yaml").write_text(other)
    record["run"]["method"]["plugins"] = [str(tmp_path / "before" / "out" / "own.yaml")]
    checkpoint.save(tmp_path / "m" / MODEL, tensors, record)
    save(tmp_path / "rows.csv", text(cells(5, 1), label=False))
    assert ask("predict", tmp_path / "m", tmp_path / "rows.csv").exit_code == 0


def test_models_saved_without_a_description_find_it_beside_them(
    moved: Path, answer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors, record = checkpoint.load(model(moved) / MODEL)
    del record["description"]
    checkpoint.save(model(moved) / MODEL, tensors, record)
    save(tmp_path / "rows.csv", text(cells(5, 1), label=False))
    hidden(monkeypatch, answer)
    result = ask("predict", model(moved), tmp_path / "rows.csv")
    assert result.exit_code == 0, result.stderr
    (moved / "own.yaml").unlink()
    assert "Put own.yaml into the model's folder" in refused("predict", model(moved), tmp_path / "rows.csv")


def test_an_answer_goes_on_where_it_was_moved_to(
    moved: Path, answer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the files moved as well: what is finished stays finished."""
    save(tmp_path / "old.csv", text(cells(60)))
    save(tmp_path / "new.csv", text(cells(30, 1), label=False))
    hidden(monkeypatch, answer)
    words = ("--source", tmp_path / "old.csv", "--target", tmp_path / "new.csv")
    result = ask("adapt", *words, "--out", moved, *QUICK)
    assert result.exit_code == 0, result.stderr
    assert "1 of 1 runs are finished already." in result.stderr
    assert (moved / "predictions.csv").read_text() == (answer / "out" / "predictions.csv").read_text()


def test_only_files_that_are_gone_may_have_other_places(tmp_path: Path) -> None:
    (tmp_path / "here.csv").touch()

    def named(file: str, side: int = 32) -> object:
        return described({"name": "own", "domains": {"a": {"file": str(tmp_path / file)}}, "side": side}, "own")

    assert continues(named("gone.csv"), named("here.csv"))
    assert not continues(named("here.csv"), named("gone.csv"))
    assert not continues(named("gone.csv"), named("here.csv", 16))
