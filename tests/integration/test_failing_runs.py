"""Runs that break take nothing else with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dareps.engine.outcome import Outcome
from dareps.suite.store import Store
from tests.cli._ask import ask
from tests.integration._suites import csv_rows, write_suite

LOSS = '''
import torch

from dareps.alignment import Alignment
from dareps.alignment._modules import AlignmentModule


class OneSeed(Alignment):
    """Breaks one seed's run in the middle of training."""

    bad: int = 1
    """The seed."""

    def build(self, shapes):
        return Breaking(self)


class Breaking(AlignmentModule):
    def forward(self, views, strength, step):
        source, target = (view.shared.mean(0) for view in views)
        value = (source - target).square().sum()
        bad = (step.noise.seed == self.settings.bad) & (step.progress >= 0.5)
        return value * torch.where(bad, float("nan"), 1.0)
'''
SUITE = """
recipes:
  - source_only
  - {name: breaking, recipe: dann, set: {align: [one_seed]}}
seeds: 3
plugins: [one_seed.py]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "one_seed.py").write_text(LOSS, encoding="utf-8")
    return write_suite(tmp_path, SUITE)


def run(suite: Path, out: Path, *words: object) -> dict[tuple[str, int], Outcome]:
    """Bench, which must end with exit code 1, and the outcomes by recipe and seed."""
    result = ask("bench", suite, "--out", out, "--workers", 1, "phases.0.steps=40", "engine.flush=10", *words)
    assert result.exit_code == 1, result.stderr
    told = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    part = "align.0.one_seed is not finite"
    assert told == [f"failed: breaking digits8/fonts:scans seed 1: step 21: {part}"]
    return {(own.identity.recipe, own.identity.seed): own for own in Store(out / "tiny").outcomes()}


@pytest.fixture(params=[False, True], ids=["separate", "stacked"])
def outcomes(request: pytest.FixtureRequest, suite: Path, tmp_path: Path) -> dict[tuple[str, int], Outcome]:
    return run(suite, tmp_path, f"engine.stack={str(request.param).lower()}")


def test_one_seeds_nan_is_its_own(outcomes: dict[tuple[str, int], Outcome], tmp_path: Path):
    assert {place for place, own in outcomes.items() if own.status == "failed"} == {("breaking", 1)}
    assert len(outcomes) == 6
    broken = outcomes["breaking", 1]
    assert broken.selected == ()
    assert broken.curves["task.digit"][-1][0] == 20
    rows = csv_rows(tmp_path / "tiny" / "runs.csv")
    [row] = [row for row in rows if row["status"] == "failed"]
    assert (row["recipe"], row["seed"], row["target_metric"]) == ("breaking", "1", "")
    board = csv_rows(tmp_path / "tiny" / "leaderboard.csv")
    counts = {row["recipe"]: row["n"] for row in board if row["selection"] == "last"}
    assert (counts["source_only"], counts["breaking"]) == ("3", "2")
    for name in ("report.md", "report.html"):
        assert (tmp_path / "tiny" / name).stat().st_size > 0


CRASH = '''
from dareps.alignment import Alignment


class Crashing(Alignment):
    """Raises."""

    def __call__(self, source, target):
        return source.sum() @ target.sum()
'''


@pytest.mark.parametrize("command", ["train", "bench"])
def test_a_part_that_raises_is_told_with_its_place_and_its_traceback(command: str, tmp_path: Path):
    (tmp_path / "crashing.py").write_text(CRASH, encoding="utf-8")
    words = ("align=[crashing]", "phases.0.steps=5", "--plugin", tmp_path / "crashing.py", "--out", tmp_path)
    more = ("train", "dann") if command == "train" else ("bench", "quick", "--recipes", "dann", "--seeds", 1)
    result = ask(*more, *words)
    assert result.exit_code == 1
    [line, *_] = [line for line in result.stderr.splitlines() if "failed" in line and "RuntimeError" in line]
    assert "(crashing.py line 9; traceback: " in line
    file = Path(line.partition("traceback: ")[2].partition(")")[0])
    assert "source.sum() @ target.sum()" in file.read_text(encoding="utf-8")
