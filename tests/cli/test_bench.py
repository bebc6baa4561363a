"""`dareps bench`: a suite to its report, failures, parts, and interruption."""

from __future__ import annotations

import csv
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dareps.suite.expand import expand, read_suite
from dareps.suite.store import FILE, Store
from tests.cli._ask import ask, command, environment, refused
from tests.suite_store._make import outcome

SUITE = """
# Two good recipes and one that breaks.
splits: [digits8/fonts:scans]
recipes:
  - source_only
  - {name: linear_svm, set: {phases.0.grid: [0.01]}}
  - {name: gap, recipe: dann, set: {align: [mean_gap], phases.0.steps: 15}}
  - {name: broken, recipe: dann, set: {align: [{name: mean_gap, broken: true}]}}
seeds: 1
plugins: [my_loss.py]
"""


def write(folder: Path, text: str = SUITE) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text.replace("- source_only", "- {name: source_only, set: {phases.0.steps: 15}}"), encoding="utf-8")
    return path


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_suite_runs_to_its_report_and_never_twice(tmp_path: Path, loss_file: Path):
    path, out = write(tmp_path), tmp_path / "out"
    words = ("bench", path, "--out", out, "--workers", 2, "engine.evaluations=2")
    first = ask(*words)
    assert first.exit_code == 1
    assert [line.split()[1] for line in first.stderr.splitlines() if line.startswith("failed: ")] == ["broken"]
    assert "failed: broken digits8/fonts:scans seed 0: step 1: align.0.mean_gap is not finite" in first.stderr
    assert "[4/4]" in first.stderr
    assert "ConvergenceWarning" not in first.stderr
    folder = out / "mine"
    assert f"Report: {folder / 'report.html'}" in first.stdout
    assert "Chosen on digits8 by information_maximisation, without target labels: " in first.stdout
    assert {row["status"] for row in rows(folder, "runs.csv")} == {"ok", "failed"}
    assert {row["recipe"] for row in rows(folder, "leaderboard.csv")} == {"source_only", "linear_svm", "gap", "chosen"}
    assert "gap" in (folder / "report.md").read_text(encoding="utf-8")

    saved = {own.identity.key: own.seconds for own in Store(folder).outcomes() if own.status == "ok"}
    second = ask(*words)
    assert second.exit_code == 1
    assert "3 of 4 runs are finished already." in second.stderr
    assert saved == {own.identity.key: own.seconds for own in Store(folder).outcomes() if own.status == "ok"}

    part = ask(*words, "--recipes", "source_only,linear_svm", "--splits", "digits8/fonts:scans")
    assert part.exit_code == 0
    assert {own.identity.key for own in Store(folder).outcomes() if own.status == "ok"} == saved.keys()
    assert Store(folder).missing() == set()


def test_a_part_of_a_suite_with_more_seeds_and_recipes(tmp_path: Path):
    path = write(tmp_path, "splits: [digits8/fonts:scans]\nrecipes:\n  - source_only\nseeds: 1\n")
    words = ("bench", path, "--out", tmp_path, "phases.0.steps=5", "--recipes", "source_only,target_only")
    result = ask(*words, "--seeds", 2, "--workers", 1)
    assert result.exit_code == 0, result.stderr
    found = [(own.identity.recipe, own.identity.seed) for own in Store(tmp_path / "mine").outcomes()]
    assert sorted(found) == [("source_only", 0), ("source_only", 1), ("target_only", 0), ("target_only", 1)]


def test_full_replaces_the_keys_that_it_names(tmp_path: Path):
    text = "splits: [digits8/fonts:scans]\nrecipes:\n  - source_only\nseeds: 9\nfull: {seeds: 1}\n"
    path = str(write(tmp_path, text))
    assert [read_suite(path, full)[1].seeds for full in (False, True)] == [9, 1]


def test_settings_of_a_phase_go_to_the_recipes_that_have_them(tmp_path: Path):
    text = "splits: [digits8/fonts:scans]\nrecipes: [source_only, linear_svm]\nset: {phases.*.batch: 32}\n"
    path = write(tmp_path, text)
    words = ("bench", path, "--out", tmp_path, "--seeds", 1, "--workers", 1)
    assert ask(*words, "phases.0.steps=5", "phases.*.grid=[0.01]").exit_code == 0
    configs = {own.identity.recipe: own.identity.config for own in Store(tmp_path / "mine").outcomes()}
    phases = {name: config["method"]["phases"][0] for name, config in configs.items()}
    assert (phases["source_only"]["steps"], phases["source_only"]["batch"]) == (5, 32)
    assert phases["linear_svm"]["grid"] == [0.01]
    assert "Did you mean 'steps'?" in refused(*words, "phases.0.step=5")
    assert "unknown key" in refused(*words, "--recipes", "linear_svm", "phases.0.steps=5")
    assert "unknown key" in refused("train", "linear_svm", "phases.0.steps=5")


def test_an_encoder_for_all_recipes_leaves_alone_what_trains_none():
    runs = expand(read_suite("quick")[1], overrides=[("encoder", {"name": "mlp", "width": 7})])
    encoders = {run.recipe: type(run.method.encoder).name for run in runs}
    assert encoders.pop("linear_svm") == "identity"
    assert set(encoders.values()) == {"mlp"}
    line = refused("train", "linear_svm", "encoder=mlp")
    assert line.startswith("error: recipe linear_svm.encoder: linear_svm fits the inputs")
    assert "got" not in line


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("splits: []\nrecipes: [source_only]\n", ["splits", "nothing is listed"]),
        ("splits: [digits8/fonts:scans]\nrecipes: [source_onyl]\n", ["Did you mean 'source_only'?"]),
        ("splits: [digist8/*:*]\nrecipes: [source_only]\n", ["Did you mean 'digits8'?"]),
        ("splits: [digits8/*:*]\nrecipes: [source_only]\nseed: 3\n", ["suite mine.seed", "Did you mean 'seeds'?"]),
        ("splits: [digits8/*:*]\nrecipes: [source_only]\nset: {encodr.width: 3}\n", ["Did you mean 'encoder'?"]),
        ("splits: [digits8/*:*]\nrecipes: [source_only]\nheadline: entropi\n", ["Did you mean 'entropy'?"]),
        ("splits: [digits8/*:*]\nrecipes: [source_only]\nheadline: oracle\n", ["never the headline"]),
        ("splits: [digits/mnist:usps]\nrecipes: [source_only]\n", ["dareps data get digits"]),
        ("- a\n- b\n", ["expected a mapping"]),
    ],
)
def test_a_suite_that_cannot_run_is_refused(text: str, parts: list[str], tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    line = refused("bench", path, "--out", tmp_path / "out")
    for part in parts:
        assert part in line


def test_splits_without_a_target_need_no_headline_of_their_own(tmp_path: Path):
    path = write(tmp_path, "splits: [digits8/fonts]\nrecipes:\n  - source_only\nseeds: 1\n")
    answer = ask("bench", path, "--out", tmp_path / "out", "engine.evaluations=1")
    assert answer.exit_code == 0
    assert "checkpoints by source_score" in answer.stdout
    path = write(tmp_path, "splits: [digits8/fonts]\nrecipes: [source_only]\nheadline: information_maximisation\n")
    assert "no selected rule has this name" in refused("bench", path, "--out", tmp_path / "other")


def test_a_second_bench_on_the_folder_is_refused(tmp_path: Path):
    path = write(tmp_path, "splits: [digits8/fonts:scans]\nrecipes:\n  - source_only\n")
    with Store(tmp_path / "mine").exclusive():
        assert "another process" in refused("bench", path, "--out", tmp_path)


def test_the_terminal_tells_of_uneven_comparisons_and_stale_runs(tmp_path: Path):
    store = Store(tmp_path)
    for recipe, steps in (("source_only", 20), ("mcc", 800), ("mcc", 30)):
        config = {"method": {"phases": [{"name": "train", "steps": steps}]}}
        rest = {"key": f"{recipe}-{steps}", "config": config}
        store.save(outcome(recipe, values={"information_maximisation": 0.5}, **rest))
    store.mark_expected(["source_only-20", "mcc-800"])
    told = ask("report", tmp_path).stderr
    assert "toy: Not a fair comparison: steps differ: 20 (source_only), 800 (mcc)." in told
    assert "1 stale run left out: made with other settings." in told


DEADLY = """
import os
import signal
from pathlib import Path

from dareps.alignment import Alignment


class Deadly(Alignment):
    \"""Kills its process, or does so until `mark` exists.\"""

    mark: str | None = None

    def __call__(self, source, target):
        \"""Never twice where there is a mark.\"""
        if self.mark is None or not Path(self.mark).exists():
            if self.mark is not None:
                Path(self.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return (source.mean(0) - target.mean(0)).square().sum()
"""


def test_a_worker_that_dies_is_told_and_its_run_tried_once_more(tmp_path: Path):
    (tmp_path / "deadly.py").write_text(DEADLY, encoding="utf-8")
    mark = tmp_path / "mark"
    once = f"  - {{name: once, recipe: dann, set: {{align: [{{name: deadly, mark: {mark}}}], phases.0.steps: 5}}}}\n"
    always = "  - {name: always, recipe: dann, set: {align: [deadly], phases.0.steps: 5}}\n"
    text = f"splits: [digits8/fonts:scans]\nrecipes:\n{once}{always}seeds: 1\nplugins: [deadly.py]\n"
    result = ask("bench", write(tmp_path, text), "--out", tmp_path, "--workers", 1)
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if "trying once more" in line]
    assert [line.split()[0] for line in told] == ["once", "always"]
    assert all("the worker process died (signal 9)" in line for line in told)
    found = {own.identity.recipe: own for own in Store(tmp_path / "mine").outcomes()}
    assert {name: own.status for name, own in found.items()} == {"once": "ok", "always": "failed"}
    assert "and again" in found["always"].error


def test_ctrl_c_stops_with_a_report_and_a_repeat_continues(tmp_path: Path):
    recipes = "  - source_only\n  - {name: long, recipe: source_only, set: {phases.0.steps: 4000}}\n"
    path = write(tmp_path, f"splits: [digits8/fonts:scans]\nrecipes:\n{recipes}seeds: 1\n")
    words = ("bench", path, "--out", tmp_path, "--workers", 1, "engine.checkpoint_seconds=0", "engine.flush=20")
    process = subprocess.Popen(
        command(*words), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and not (tmp_path / "mine" / FILE).exists():
        time.sleep(0.05)
    while time.monotonic() < deadline and not Store(tmp_path / "mine").finished():
        time.sleep(0.05)
    while time.monotonic() < deadline and not list(tmp_path.glob("mine/checkpoints/*.safetensors")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=90)
    assert process.returncode == 130, stderr
    assert "The same command continues where it left off." in stderr
    assert "Traceback" not in stderr
    assert "source_only" in stdout
    assert (tmp_path / "mine" / "report.html").exists()
    assert [own.identity.recipe for own in Store(tmp_path / "mine").outcomes()] == ["source_only"]
    assert list(tmp_path.glob("mine/checkpoints/*.safetensors"))

    again = ask(*words)
    assert again.exit_code == 0, again.stderr
    assert "1 of 2 runs are finished already." in again.stderr
    assert [own.identity.recipe for own in Store(tmp_path / "mine").outcomes()] == ["long", "source_only"]
    assert not list(tmp_path.glob("mine/checkpoints/*.safetensors"))
