"""`dareps tune` from draws to recipes that run, stopped and continued."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from dareps.recipe.bind import bind_run
from dareps.suite.store import Store
from tests.cli._ask import ask, refused

RULE = ("--rule", "information_maximisation")
SMALL = ("phases.*.steps=4", "engine.evaluations=1")
PLACE = ("--splits", "digits8/fonts:scans", "--seeds", 1, "--recipes", "dan,linear_svm", "--workers", 1)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "tuned.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_from_a_stop_to_recipes_that_run_and_never_twice(tmp_path: Path):
    words = ("tune", "quick", *RULE, *PLACE, "--trials", 2, "--out", tmp_path, *SMALL, "phases.*.grid=[0.01]")
    stopped = ask(*words, "--timeout", 0)
    assert stopped.exit_code == 130
    assert "The same command continues" in stopped.stderr
    done = ask(*words)
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / "quick-tuned"
    rows = table(folder)
    assert [(row["recipe"], row["trial"]) for row in rows] == [("dan", "0"), ("dan", "1"), ("linear_svm", "0")]
    assert [row["chosen"] for row in rows if row["recipe"] == "linear_svm"] == ["1"]
    shown = [row for row in rows if row["target_metric"]]
    assert all(row["chosen"] == "1" or row["trial"] == "0" for row in shown)
    page = (folder / "report.md").read_text(encoding="utf-8")
    assert "align.0.weight in [0.1, 10] (log)" in page
    assert "linear_svm**: it declares no range" in page
    assert "No target label had a part in it" in page

    saved = {own.identity.key: own.seconds for own in Store(folder).outcomes()}
    again = ask(*words)
    assert again.exit_code == 0
    assert "3 of 3 runs are finished already" in again.stderr
    assert {own.identity.key: own.seconds for own in Store(folder).outcomes()} == saved
    assert table(folder) == rows

    [chosen] = [row for row in rows if row["recipe"] == "dan" and row["chosen"] == "1"]
    written = bind_run(str(folder / "tuned" / "dan.yaml"), "digits8/fonts:scans")
    settings = dict(pair.split("=") for pair in chosen["settings"].split())
    assert written.method.align[0].weight == float(settings["align.0.weight"])
    assert written.method.phases[0].optimizer.lr == float(settings["phases.0.optimizer.lr"])
    keys = [own.identity.config["method"] for own in Store(folder).outcomes() if own.identity.recipe.startswith("dan")]
    assert written.model_dump(mode="json")["method"] in keys


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["quik", *RULE], ["suite", "'quik'"]),
        (["quick", "--rule", "oracle"], ["--rule", "sees target labels", "Label-free rules"]),
        (["quick", "--rule", "last"], ["--rule", "do not compare models"]),
        (["quick", "--rule", "entropi"], ["--rule", "Did you mean 'entropy'?"]),
        (["quick", *RULE, "--recipes", "dnan"], ["no shipped one has this name", "'dnan'"]),
        (["quick", *RULE, "--sampler", "grid"], ["--sampler", "got 'grid'"]),
        (["quick", *RULE, "align.0.weight=-1"], ["align.0.weight", "got -1"]),
    ],
)
def test_a_mistake_is_one_line(words: list[str], parts: list[str], tmp_path: Path):
    line = refused("tune", *words, "--out", tmp_path)
    assert all(part in line for part in parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--trials", "0"], ["--timeout", "-1"], ["--seeds", "0"]])
def test_numbers_out_of_range_are_refused(words: list[str], tmp_path: Path):
    assert ask("tune", "quick", *RULE, *words, "--out", tmp_path).exit_code == 2
    assert ask("tune", "quick", "--out", tmp_path).exit_code == 2  # Who judges has no default.


def test_without_optuna_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    line = refused("tune", "quick", *RULE, "--out", tmp_path)
    assert "optuna, which is not installed" in line
    assert "pip install 'dareps[hpo]'" in line


def test_show_tells_the_ranges():
    shown = ask("show", "alignment/mcc").stdout
    assert "(tuned 1 to 5, log)" in shown
    assert "(tuned 0.1x to 10x, log)" in shown
