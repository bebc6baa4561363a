"""`dareps tune` from draws to recipes that run, stopped and continued."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dareps.commands.bench import Wanted
from dareps.engine.identity import identity_of
from dareps.engine.outcome import Outcome
from dareps.errors import StoreError
from dareps.recipe.bind import bind_run, dump_run
from dareps.recipe.settings import Run
from dareps.suite.bench import keys_of
from dareps.suite.store import Store
from tests.cli._ask import ask, refused
from tests.suite_store._make import selected

RULE = ("--rule", "information_maximisation")
SMALL = ("phases.*.steps=4", "engine.evaluations=1", "protocol=paper")
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
    page = (folder / "tuned.md").read_text(encoding="utf-8")
    assert "align.0.weight in [0.1, 10] (log)" in page
    assert "linear_svm**: it declares no range" in page
    assert "No target label had a part in the choice" in page
    assert not (folder / "predictions").exists()
    assert "Read tuned.md there" in refused("report", folder)
    (tmp_path / "quick-tuned.yaml").write_text("splits: [digits8/fonts:scans]\nrecipes: [dan]\n", encoding="utf-8")
    assert "a table of its draws" in refused("bench", tmp_path / "quick-tuned.yaml", "--out", tmp_path)
    assert not list(folder.glob("*.html"))

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
    assert dump_run(written)["method"] in keys


def pretending(status: str, target_labels: int = 0) -> Callable[..., tuple[bool, list[str]]]:
    """Instead of training: every run ends like this, and the disk is full after the last."""

    def carried_out(wanted: Wanted, runs: Sequence[Run], store: Store, *_: object) -> tuple[bool, list[str]]:
        for run, key in zip(runs, keys_of(runs), strict=True):
            rows = (selected(RULE[1], 0.5),) if status == "ok" else ()
            store.save(Outcome(identity_of(run, key), status, target_labels, selected=rows))
        raise StoreError("disk", "no space is left")

    return carried_out


def test_what_is_finished_is_published_before_trouble_and_says_what_it_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    words, folder = ("tune", "quick", *RULE, "--trials", 2, "--out", tmp_path), tmp_path / "quick-tuned"
    monkeypatch.setattr("dareps.commands.tune.carried_out", pretending("ok", 7))
    fixed = "phases.0.optimizer={name: adam, lr: 0.001}"
    assert "no space is left" in refused(*words, "--recipes", "target_only", fixed)
    seen = (folder / "tuned" / "target_only.yaml").read_text(encoding="utf-8")
    assert "by the label-free rule information_maximisation; its training saw 7 target labels:" in seen
    assert "without target labels" not in seen
    assert [row["settings"] for row in table(folder)] == [""]  # What was set through its parent is not tuned.

    assert "no space is left" in refused(*words, "--recipes", "dan")
    assert (folder / "tuned" / "dan.yaml").exists()
    monkeypatch.setattr("dareps.commands.tune.carried_out", pretending("failed"))
    result = ask(*words, "--recipes", "dan", "phases.0.steps=9")
    assert "left as they are: target_only" in result.stderr
    page = (folder / "tuned.md").read_text(encoding="utf-8")
    assert "every run failed, so nothing was chosen" in page
    assert "left as they are: target_only" in page
    assert not (folder / "tuned" / "dan.yaml").exists()


def test_a_folder_of_results_is_not_tuned_in(tmp_path: Path):
    Store(tmp_path / "quick-tuned")
    assert "draws of settings must not join" in refused("tune", "quick", *RULE, "--out", tmp_path)


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


def test_models_that_are_trained_apart_are_not_tuned(tmp_path: Path):
    said = refused("tune", "attributes_mtl", "--rule", "source_score", "--trials", 2, "--out", tmp_path)
    assert "recipes.single_task.apart: models that are trained apart are not tuned" in said
    assert "--recipes" in said
