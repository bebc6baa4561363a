"""A finished suite is not run again, and its models give the figures that its table holds."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dareps
from dareps.data.digits8 import Digits8
from dareps.data.split import make_split
from dareps.engine.outcome import Outcome
from dareps.errors import ConfigError
from dareps.recipe.bind import rebind
from dareps.suite.jobs import Workers
from dareps.suite.store import Store
from tests.cli._ask import ask
from tests.integration._suites import TINY, timeless, write_suite

GONE = '''
from dareps.alignment import Alignment


class Gone(Alignment):
    """Squared distance of the means."""

    def __call__(self, source, target):
        return (source.mean(0) - target.mean(0)).square().sum()
'''


@pytest.fixture
def saved(finished: Path) -> list[Outcome]:
    """The runs whose models were kept: those of seed 0."""
    return [own for own in Store(finished, create=False).outcomes() if own.folder]


def raw_test_rows(own: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """The target test rows as the dataset holds them, and their labels, found by their pixels."""
    run = rebind(own.identity.config)
    split = make_split(run.data, run.source, run.target, run.seed, run.protocol)
    every = Digits8().rows(run.target[0])
    place = {row.tobytes(): number for number, row in enumerate(every.x)}
    found = [place[row.tobytes()] for row in split.target_test[0].x]
    assert len(found) > 300
    return every.x[found], every.y["digit"][found]


def test_the_saved_models_are_those_of_the_first_seed(saved: list[Outcome]):
    assert sorted((own.identity.recipe, own.identity.seed) for own in saved) == [("dann", 0), ("source_only", 0)]


def test_raw_target_test_rows_give_the_stored_figures(saved: list[Outcome], finished: Path):
    for own in saved:
        x, y = raw_test_rows(own)
        predicted = dareps.load(finished / own.folder).predict(x)
        [row] = [row for row in own.selected if row.selection == "information_maximisation"]
        assert (predicted == y).mean() == row.target_metric
        confusion = np.zeros((10, 10), int)
        np.add.at(confusion, (y, predicted), 1)
        assert confusion.tolist() == row.confusion


def test_the_command_predicts_what_the_model_predicts(saved: list[Outcome], finished: Path, tmp_path: Path):
    for own in saved:
        x, _ = raw_test_rows(own)
        np.save(tmp_path / "rows.npy", x)
        result = ask("predict", finished / own.folder, tmp_path / "rows.npy")
        assert result.exit_code == 0, result.stderr
        classes = [int(line["class"]) for line in csv.DictReader(io.StringIO(result.stdout))]
        assert classes == dareps.load(finished / own.folder).predict(x).tolist()


def test_python_takes_the_shapes_that_the_command_takes(saved: list[Outcome], finished: Path):
    x, _ = raw_test_rows(saved[0])
    model = dareps.load(finished / saved[0].folder)
    known = model.predict_proba(x)
    for rows in (x.reshape(-1, 64), x.reshape(-1, 8, 8)):
        assert np.array_equal(model.predict_proba(rows), known)
    assert "rows of scans, 10 classes" in repr(model)


@pytest.mark.parametrize(("words", "part"), [({"domain": "scan"}, "Did you mean 'scans'?"), ({"device": "gpu"}, "gpu")])
def test_a_mistake_in_loading_is_told(saved: list[Outcome], finished: Path, words: dict[str, str], part: str):
    with pytest.raises(ConfigError, match=re.escape(part)):
        dareps.load(finished / saved[0].folder, **words)


def test_a_model_needs_the_loss_it_was_trained_with_no_more(tmp_path: Path):
    (tmp_path / "gone.py").write_text(GONE, encoding="utf-8")
    words = ("--plugin", tmp_path / "gone.py", "align=[gone, adversarial]", "phases.0.steps=3", "--out", tmp_path)
    script = "import dareps, numpy, sys; print(dareps.load(sys.argv[1]).predict(numpy.zeros((2, 64))).shape)"
    assert ask("train", "dann", *words).exit_code == 0
    [own] = Store(tmp_path / "train", create=False).outcomes()
    (tmp_path / "gone.py").unlink()
    folder = tmp_path / "train" / own.folder
    done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(2,)", done.stderr


def test_a_second_bench_trains_nothing(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(finished, tmp_path / "tiny")

    def start(_: Workers) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(Workers, "_start", start)
    again = ask("bench", write_suite(tmp_path, TINY), "--out", tmp_path)
    assert again.exit_code == 0, again.stderr
    assert "4 of 4 runs are finished already." in again.stderr
    assert (tmp_path / "tiny" / "runs.csv").read_bytes() == (finished / "runs.csv").read_bytes()


def test_more_steps_are_new_runs_and_the_old_ones_stale(finished: Path, tmp_path: Path):
    shutil.copytree(finished, tmp_path / "tiny")
    words = ("--out", tmp_path, "--workers", 1, "--recipes", "source_only", "phases.0.steps=110")
    more = ask("bench", write_suite(tmp_path, TINY), *words)
    assert more.exit_code == 0, more.stderr
    assert "finished already" not in more.stderr
    rows = {(row["recipe"], row["seed"], row["status"]) for row in timeless(tmp_path / "tiny" / "runs.csv")}
    assert {("source_only", seed, status) for seed in "01" for status in ("ok", "stale")} <= rows
