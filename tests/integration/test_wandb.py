"""A whole suite, as Weights & Biases got it and as the store kept it: the same runs, curves and figures."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from dareps.engine.outcome import Outcome
from dareps.suite.store import Store
from dareps.tracking import wandb_id
from tests.integration._suites import SPLIT, csv_rows
from tests.tracking.offline import OfflineRun, read_folder

SUITE_RUN = "tiny"


@pytest.fixture(scope="module")
def kept(finished: Path) -> dict[str, Outcome]:
    """The store's runs by their W&B id."""
    return {wandb_id(finished, own.identity.key): own for own in Store(finished, create=False).outcomes()}


@pytest.fixture(scope="module")
def written(finished: Path) -> dict[str, OfflineRun]:
    """W&B's runs by id, the suite's own among them."""
    parts = read_folder(finished)
    assert len({part.id for part in parts}) == len(parts)
    return {part.id: part for part in parts}


def pairs(kept: dict[str, Outcome], written: dict[str, OfflineRun]) -> list[tuple[Outcome, OfflineRun]]:
    return [(own, written[name]) for name, own in kept.items()]


def number(value: Any) -> float:
    """W&B writes what JSON has no number for as text."""
    return float(str(value).replace("Infinity", "inf"))


def test_every_run_is_there_and_one_for_the_suite(kept, written):
    assert len(kept) == 4
    [suite] = written.keys() - kept.keys()
    assert (written[suite].name, written[suite].job_type) == (SUITE_RUN, "suite")


def test_runs_are_named_grouped_and_tagged(kept, written):
    for own, run in pairs(kept, written):
        recipe, seed = own.identity.recipe, own.identity.seed
        assert run.name == f"{recipe} {SPLIT} seed {seed}"
        assert (run.group, run.job_type, run.project) == ("tiny", recipe, "dareps")
        assert set(run.tags) == {SPLIT, "digits8", "inductive"}
        assert run.exit_code == 0


def test_the_configuration_is_the_whole_one(kept, written):
    for own, run in pairs(kept, written):
        assert run.config == {**json.loads(json.dumps(own.identity.config)), "key": own.identity.key}


def test_losses_and_scores_of_every_step_are_those_of_the_store(kept, written):
    for own, run in pairs(kept, written):
        curves: dict[int, dict[str, float]] = {}
        for name, curve in own.curves.items():
            for step, value in curve:
                curves.setdefault(step, {})[name] = value
        assert list(run.history) == sorted(curves)
        assert sorted(curves) == list(range(10, 101, 10))
        for step, values in curves.items():
            assert run.history[step].keys() == values.keys()
            for name, value in values.items():
                assert number(run.history[step][name]) == value or math.isnan(value), (step, name)
        assert any(name.startswith("task.") for name in run.history[10])
        assert "score.information_maximisation" in run.history[50]


def test_the_summary_holds_the_rows_of_the_table(finished, kept, written):
    rows = {(row["run"], row["selection"]): row for row in csv_rows(finished / "runs.csv")}
    for own, run in pairs(kept, written):
        assert run.summary["status"] == "ok"
        assert run.summary["target_labels"] == own.target_labels
        for selected in own.selected:
            row = rows.pop((own.identity.key, selected.selection))
            for figure in ("target_metric", "source_metric", "step"):
                assert run.summary[f"{selected.selection}/{figure}"] == float(row[figure])
    assert not rows


def test_the_suite_has_its_table_and_files(finished, kept, written):
    [suite] = [run for name, run in written.items() if name not in kept]
    files = suite.artifacts["results"]
    assert files.keys() == {"leaderboard.csv", "report.html"}
    for name, local in files.items():
        assert digest(local) == digest(finished / name)
    with (finished / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    table = suite.file.parent / "files" / suite.history[0]["leaderboard.path"]
    content = json.loads(table.read_text(encoding="utf-8"))
    assert content["columns"] == head
    assert content["data"] == [[cell(text) for text in row] for row in rows]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cell(text: str) -> str | float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text
