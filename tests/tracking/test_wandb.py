"""What is logged is what wandb's offline files hold."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from dareps.tracking import RunInfo, WandbTracker, make_tracker, wandb_id

from .offline import OfflineRun, read_folder, runs_by_name

CONFIG = {"align": [{"name": "mmd", "weight": 0.3}], "seed": 3, "phases": [{"steps": 100, "lr": 1e-3, "clip": None}]}


def info(key: str, **other: object) -> RunInfo:
    return RunInfo(key, f"dann {key}", "quick", "dann", ("digits8/fonts:scans",), {**CONFIG, **other})


def curve(key: str, step: int) -> dict[str, float]:
    shift = len(key)
    return {"loss/task": 1 / (step + shift), "loss/align.0": math.sin(step), "score/entropy": -float(step)}


def log_run(tracker: WandbTracker, key: str, steps: range) -> None:
    for step in steps:
        tracker.log(key, step, curve(key, step))


def parts(folder: Path, name: str) -> list[OfflineRun]:
    return [part for part in read_folder(folder) if part.name == name]


def test_several_open_runs_are_written_as_logged(folder: Path):
    tracker, keys = WandbTracker(folder), ["a", "bb", "ccc"]
    for key in keys:
        tracker.start(info(key))
    for step in range(0, 500, 5):
        for key in keys:
            tracker.log(key, step, curve(key, step))
    for key in keys:
        tracker.finish(key, {"target_metric": 0.5, "oracle": {"step": 20}}, failed=key == "bb")
    assert tracker.close() == []
    runs = runs_by_name(folder)
    assert set(runs) == {f"dann {key}" for key in keys}
    for key in keys:
        run = runs[f"dann {key}"]
        assert run.history == {step: pytest.approx(curve(key, step), rel=1e-15) for step in range(0, 500, 5)}
        assert (run.group, run.job_type, run.project) == ("quick", "dann", "dareps")
        assert (run.tags, run.config) == (("digits8/fonts:scans",), CONFIG)
        assert run.summary.items() >= {"target_metric": 0.5, **curve(key, 495)}.items()
        assert run.summary["oracle"] == {"step": 20}
        assert (run.id, run.exit_code) == (wandb_id(folder, key), int(key == "bb"))


def test_values_of_one_step_from_several_calls_make_one_row(folder: Path):
    tracker = WandbTracker(folder)
    tracker.start(info("a"))
    for step in range(3):
        tracker.log("a", step, {"loss/task": 1.0 + step})
        tracker.log("a", step, {"score/entropy": math.nan, "loss/align": math.inf})
    tracker.finish("a", {})
    assert tracker.close() == []
    (run,) = read_folder(folder)
    assert list(run.history) == [0, 1, 2]
    for step, row in run.history.items():
        assert row["loss/task"] == 1.0 + step
        assert math.isnan(float(row["score/entropy"]))
        assert math.isinf(float(str(row["loss/align"]).replace("Infinity", "inf")))


def test_a_continued_run_keeps_its_id_so_that_its_parts_sync_into_one(folder: Path):
    for steps in (range(10), range(10, 20)):
        tracker = WandbTracker(folder)
        tracker.start(info("a"))
        log_run(tracker, "a", steps)
        if steps.stop == 20:
            tracker.finish("a", {"target_metric": 0.5})
        assert tracker.close() == []
    first, second = read_folder(folder)
    assert first.file != second.file
    assert first.id == second.id == wandb_id(folder, "a")
    assert [list(part.history) for part in (first, second)] == [list(range(10)), list(range(10, 20))]
    assert (first.exit_code, second.exit_code) == (255, 0)


def test_a_run_retried_by_one_tracker_gets_a_part_of_its_own(folder: Path):
    tracker = WandbTracker(folder)
    for steps in (range(5), range(3, 8)):  # Its worker died without a word; it goes on from a checkpoint.
        tracker.start(info("a"))
        log_run(tracker, "a", steps)
    tracker.finish("a", {})
    assert tracker.close() == []
    assert [list(part.history) for part in parts(folder, "dann a")] == [list(range(5)), list(range(3, 8))]


def test_ids_belong_to_the_key_and_the_folder_and_move_with_it(folder: Path, tmp_path: Path):
    first = wandb_id(folder, "a")
    assert first == wandb_id(folder, "a")
    assert len({first, wandb_id(folder, "b"), wandb_id(tmp_path / "other", "a")}) == 3
    assert wandb_id(folder.rename(tmp_path / "moved"), "a") == first


def test_the_suite_has_a_run_with_leaderboard_and_report(folder: Path, tmp_path: Path):
    table, page = tmp_path / "leaderboard.csv", tmp_path / "report.html"
    table.write_text("recipe,mean,p\ndann,0.75,\nmcc,0.5,0.01\n")
    page.write_text("<p>report</p>")
    tracker = WandbTracker(folder)
    tracker.suite(RunInfo("quick", "quick", "quick", "suite", ("suite",), {"seeds": 3}), table, page)
    assert tracker.close() == []
    (run,) = read_folder(folder)
    assert (run.name, run.job_type, run.config, run.exit_code) == ("quick", "suite", {"seeds": 3}, 0)
    assert run.history[0]["leaderboard._type"] == "table-file"
    assert (run.history[0]["leaderboard.nrows"], run.history[0]["leaderboard.ncols"]) == (2, 3)
    logged = json.loads((run.file.parent / "files" / run.history[0]["leaderboard.path"]).read_text())
    assert logged["columns"] == ["recipe", "mean", "p"]
    assert logged["data"] == [["dann", 0.75, None], ["mcc", 0.5, 0.01]]
    kept = run.artifacts["results"]
    assert {name: file.read_bytes() for name, file in kept.items()} == {
        "leaderboard.csv": table.read_bytes(),
        "report.html": page.read_bytes(),
    }
    assert all(file.is_relative_to(folder) for file in kept.values())


def test_nothing_is_written_outside_the_folder(folder: Path):
    tracker = WandbTracker(folder)
    tracker.start(info("a"))
    tracker.finish("a", {})
    assert tracker.close() == []
    assert list(Path.cwd().iterdir()) == []


def test_names_longer_than_wandb_takes_are_cut(folder: Path):
    tracker = WandbTracker(folder)
    tracker.start(RunInfo("a", "n" * 300, "g" * 300, "j" * 300, ("t" * 300, ""), {}))
    tracker.finish("a", {})
    assert tracker.close() == []
    (run,) = read_folder(folder)
    assert (run.name, run.tags) == ("n" * 128, ("t" * 64,))


def test_a_sweep_agent_names_the_single_run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    sweep = folder.parent / "config.yaml"
    sweep.write_text("wandb_version: 1\nalign.0.weight:\n  value: 0.25\n")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep123")
    monkeypatch.setenv("WANDB_RUN_ID", "agent123")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(sweep))
    for single in (True, False):
        tracker = make_tracker(folder, single=single)
        tracker.start(info(f"single={single}"))
        tracker.finish(f"single={single}", {"source_metric": 0.5})
        assert tracker.close() == []
    runs = runs_by_name(folder)
    alone, one_of_many = runs["dann single=True"], runs["dann single=False"]
    assert (alone.id, alone.sweep_id) == ("agent123", "sweep123")
    assert alone.config == {**CONFIG, "align.0.weight": 0.25}
    assert (one_of_many.id, one_of_many.sweep_id) == (wandb_id(folder, "single=False"), "")
    assert one_of_many.config == CONFIG


def test_what_an_agent_passes_is_an_override():
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    chosen = {"align.0.weight": {"value": 0.3}, "phases.0.steps": {"value": 2000}, "encoder.name": {"value": "mlp"}}
    passed = create_sweep_command_args({"args": chosen})["args_no_hyphens"]
    assert passed == ["align.0.weight=0.3", "phases.0.steps=2000", "encoder.name=mlp"]
