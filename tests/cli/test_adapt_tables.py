"""`dareps adapt` on tables with categories, gaps and values that the source has never seen."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dareps import load
from dareps.encoders.table import Table
from dareps.recipe.own_data import load_description
from tests.own._tables import write

from ._ask import ask

QUICK = ("--seeds", 2, "--workers", 1, "--recipes", "source_only,dann", "phases.*.steps=20", "encoder.name=table")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables, and what `adapt` made of them."""
    path = tmp_path_factory.mktemp("tables")
    source, target = write(path)
    result = ask("adapt", "--source", source, "--target", target, "--out", path / "out", *QUICK)
    assert result.exit_code == 0, result.stderr
    (path / "said.txt").write_text(result.stdout)
    return path


def model_of(folder: Path) -> str:
    said = (folder / "said.txt").read_text().splitlines()
    return next(line.removeprefix("Model: ") for line in said if line.startswith("Model: "))


def test_it_says_what_columns_are_and_learns_vectors_for_categories(folder: Path) -> None:
    said = (folder / "said.txt").read_text()
    assert "2 columns of numbers: age, income" in said
    assert "3 columns of categories: town, kind, colour" in said
    encoder = load(model_of(folder)).method.recipe.encoder
    assert isinstance(encoder, Table)
    assert encoder.blocks == ((3, 7), (10, 5), (15, 6))


def test_the_loaded_model_predicts_what_was_written(folder: Path) -> None:
    model = load(model_of(folder))
    x = load_description(folder / "out" / "own.yaml")().rows("new").x
    with (folder / "out" / "predictions.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    shares = model.predict_proba(x)
    assert [model.classes[label] for label in shares.argmax(axis=1)] == [row["prediction"] for row in written]
    assert [float(row["confidence"]) for row in written] == pytest.approx(shares.max(axis=1).tolist(), abs=1e-3)
    assert len({row["prediction"] for row in written}) == 2
    again = ask("predict", model_of(folder), folder / "new.csv")
    assert [line.split(",")[1] for line in again.stdout.splitlines()[1:]] == [row["prediction"] for row in written]
