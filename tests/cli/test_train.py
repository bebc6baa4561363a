"""`dareps train` on real data: results, repetition, continuation, and what it tells."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dareps.suite.store import Store
from tests.cli._ask import ask, command, environment

TRAIN = ("train", "source_only", "--out")


def outcomes(out: Path):
    return Store(out / "train", create=False).outcomes()


def test_a_run_shows_every_rule_and_where_the_model_is(trained: Path):
    result = ask("train", "dann", "phases.0.steps=20", "--out", trained)
    assert result.exit_code == 0
    [outcome] = outcomes(trained)
    for row in outcome.selected:
        assert re.search(rf"{row.selection} +\u2502 +{row.step} \u2502", result.stdout)
    assert f"Model: {trained / 'train' / outcome.folder}" in result.stdout
    assert f"dareps predict {trained / 'train' / outcome.folder} FILE" in result.stdout


def test_a_finished_run_is_not_trained_again(trained: Path):
    before = [(own.identity.key, own.seconds) for own in outcomes(trained)]
    again = ask("train", "dann", "phases.0.steps=20", "--out", trained)
    assert again.exit_code == 0
    assert "finished already" in again.stdout
    assert [(own.identity.key, own.seconds) for own in outcomes(trained)] == before


def test_settings_that_do_not_change_results_find_the_finished_run(trained: Path):
    words = ("engine.flush=7", "engine.checkpoint_seconds=1")
    assert "finished already" in ask("train", "dann", "phases.0.steps=20", *words, "--out", trained).stdout


def test_other_steps_are_a_new_run_and_say_so(tmp_path: Path):
    assert "new run" not in ask(*TRAIN, tmp_path, "phases.0.steps=10").stderr
    more = ask(*TRAIN, tmp_path, "phases.0.steps=15")
    assert more.exit_code == 0
    assert "finished with 10 steps; 15 steps are a new run" in more.stderr
    assert "new run" not in ask(*TRAIN, tmp_path, "phases.0.steps=15", "--seed", 1).stderr


def test_zero_steps_evaluate_the_untrained_model(tmp_path: Path):
    assert ask(*TRAIN, tmp_path, "phases.0.steps=0").exit_code == 0
    [outcome] = outcomes(tmp_path)
    assert {row.step for row in outcome.selected} == {0}
    assert all(row.target_metric < 0.4 for row in outcome.selected)


def test_a_batch_larger_than_the_dataset_works(tmp_path: Path):
    assert ask(*TRAIN, tmp_path, "phases.0.steps=2", "phases.0.batch=5000").exit_code == 0
    assert outcomes(tmp_path)[0].status == "ok"


def test_target_labels_are_counted_and_told(tmp_path: Path):
    result = ask("train", "target_only", "phases.0.steps=3", "--out", tmp_path)
    [outcome] = outcomes(tmp_path)
    assert f"Training saw {outcome.target_labels} target labels." in result.stdout
    assert outcome.target_labels > 0


def test_the_shallow_baseline_trains_by_the_same_command(tmp_path: Path):
    result = ask("train", "linear_svm", "phases.0.grid=[0.01]", "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "ConvergenceWarning" not in result.stderr


def test_a_corrupted_checkpoint_is_told_and_the_run_starts_afresh(tmp_path: Path):
    key = ask(*TRAIN, tmp_path, "phases.0.steps=12", "--dry-run").stdout.split()[-1]
    path = tmp_path / "train" / "checkpoints" / f"{key}.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a checkpoint")
    result = ask(*TRAIN, tmp_path, "phases.0.steps=12")
    assert result.exit_code == 0, result.stderr
    [line] = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert str(path) in line
    assert "starts afresh" in line
    assert not path.exists()


def test_a_run_that_breaks_is_kept_as_failed_and_tried_again(tmp_path: Path, loss_file: Path):
    words = ("train", "dann", "align=[{name: mean_gap, broken: true}]", "phases.0.steps=5")
    for _ in range(2):
        result = ask(*words, "--plugin", loss_file, "--out", tmp_path)
        assert result.exit_code == 1
        [line] = result.stderr.splitlines()
        assert line.startswith("error: the run failed: step 1: align.0.mean_gap is not finite")
    assert [own.status for own in outcomes(tmp_path)] == ["failed"]


def test_a_loss_of_ones_own_trains_like_a_shipped_one(tmp_path: Path, loss_file: Path):
    words = ("train", "dann", "align=[mean_gap]", "align.0.weight=0.5", "phases.0.steps=5")
    assert ask(*words, "--plugin", loss_file, "--out", tmp_path).exit_code == 0
    [outcome] = outcomes(tmp_path)
    assert outcome.identity.config["method"]["align"][0]["weight"] == 0.5
    assert "align.0.mean_gap" in outcome.curves


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run that was stopped by Ctrl-C half-way, and what it said."""
    out = tmp_path_factory.mktemp("interrupted")
    process = subprocess.Popen(
        command(*LONG, "--out", out),
        env=environment(DAREPS_CACHE=str(cache)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 100
    # The first checkpoint tells that training is on its way.
    while not list(out.glob("train/checkpoints/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    return out, subprocess.CompletedProcess(LONG, process.returncode, stdout, stderr)


LONG = ("train", "source_only", "phases.0.steps=1500", "engine.checkpoint_seconds=0", "engine.flush=50")


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_continue(interrupted):
    out, done = interrupted
    assert done.returncode == 130, done.stderr
    assert re.search(r"^Stopped at step \d+ of 1500\. The same command continues from there\.$", done.stderr, re.M)
    assert "Traceback" not in done.stderr
    assert list(out.glob("train/checkpoints/*.safetensors"))
    assert outcomes(out) == []


def test_the_same_command_continues_and_ends_as_if_never_stopped(interrupted, tmp_path: Path):
    out, done = interrupted
    [stopped] = re.findall(r"Stopped at step (\d+)", done.stderr)
    again = ask(*LONG, "--out", out)
    assert again.exit_code == 0, again.stderr
    assert f"Continuing at step {stopped} of 1500." in again.stderr
    assert ask(*LONG, "--out", tmp_path).exit_code == 0
    [first], [second] = outcomes(out), outcomes(tmp_path)
    assert first.selected == second.selected
    assert first.curves == second.curves
    assert not list(out.glob("train/checkpoints/*.safetensors"))


def test_the_report_of_single_runs(trained: Path):
    result = ask("report", trained / "train")
    assert result.exit_code == 0
    assert "dann" in result.stdout
    with (trained / "train" / "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["recipe"] for row in rows} == {"dann"}
    assert (trained / "train" / "report.html").stat().st_size > 10_000
