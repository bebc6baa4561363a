from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dareps.engine.outcome import Outcome
from dareps.errors import StoreError
from dareps.suite.exports import Entry, leaderboard, write_exports
from dareps.suite.statistics import holm, p_value
from dareps.suite.store import Store

from ._make import outcome

RULE = "entropy"
RUNS = (
    "run,recipe,dataset,source,target,task,seed,status,selection,step,score,source_metric,target_metric,target_labels,"
    "seconds"
)
BOARD = "dataset,split,recipe,selection,n,mean,low,high,difference,p,regret,target_labels"
grids = st.tuples(st.integers(2, 4), st.integers(1, 7), st.integers(1, 6)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.integers(0, 100).map(lambda k: k / 100))
)


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _suite(grid: np.ndarray) -> list[Outcome]:
    """Recipes x splits x seeds: source_only, target_only, then methods; the score is half the accuracy."""
    names = ("source_only", "target_only", "dann", "cmd")
    return [
        outcome(
            names[i],
            f"s{j}:t",
            k,
            {RULE: value, "oracle": min(1.0, value + 0.01)},
            {RULE: value / 2},
            target_labels=100 if names[i] == "target_only" else 0,
        )
        for (i, j, k), value in np.ndenumerate(grid)
    ]


def _pairs(ours: np.ndarray, base: np.ndarray) -> dict[tuple[str, int], float]:
    return {(f"s{j}", k): round(float(ours[j, k] - base[j, k]), 12) for j, k in np.ndindex(*ours.shape)}


def _entry(entries: list[Entry], recipe: str, split: str = "average", selection: str = RULE) -> Entry:
    found = [own for own in entries if (own.recipe, own.split, own.selection) == (recipe, split, selection)]
    assert len(found) == 1
    return found[0]


@settings(max_examples=30)
@given(grids)
def test_the_leaderboard_agrees_with_the_arrays(grid: np.ndarray) -> None:
    board = leaderboard(_suite(grid))
    methods, splits, seeds = grid.shape
    for i, recipe in enumerate(("source_only", "target_only", "dann", "cmd")[:methods]):
        own = _entry(board, recipe)
        assert (own.n, own.mean) == (seeds, pytest.approx(grid[i].mean(), abs=1e-12))
        assert (own.low is None) is (seeds == 1)
        if own.low is not None and own.high is not None:
            assert own.low - 1e-12 <= grid[i].mean() <= own.high + 1e-12
        assert own.regret == pytest.approx(np.minimum(0.01, 1 - grid[i]).mean(), abs=1e-12)
        for j in range(splits):
            assert _entry(board, recipe, f"s{j}:t").mean == pytest.approx(grid[i, j].mean(), abs=1e-12)
    target = _entry(board, "target_only")
    assert target.difference == pytest.approx((grid[1] - grid[0]).mean(), abs=1e-12)
    assert _entry(board, "source_only").difference is None
    assert target.target_labels == 100


@settings(max_examples=30)
@given(grids)
def test_p_values_are_holm_adjusted_within_split_and_rule(grid: np.ndarray) -> None:
    board = leaderboard(_suite(grid))
    table = {
        recipe: _pairs(grid[i], grid[0])
        for i, recipe in enumerate(("source_only", "target_only", "dann", "cmd")[: len(grid)])
        if i
    }
    best = grid[[0, *range(2, len(grid))]].max(axis=0)
    table["chosen"] = _pairs(best, grid[0])
    raw = {recipe: p for recipe, pairs in table.items() if (p := p_value(pairs)) is not None}
    expected = dict(zip(raw, holm(list(raw.values())), strict=True))
    for recipe in table:
        assert _entry(board, recipe).p == pytest.approx(expected.get(recipe), abs=1e-12)


@settings(max_examples=30)
@given(grids)
def test_chosen_takes_the_best_score_without_the_upper_bound(grid: np.ndarray) -> None:
    board = leaderboard(_suite(grid))
    chosen = _entry(board, "chosen")
    pool = grid[[0, *range(2, len(grid))]]
    assert chosen.mean == pytest.approx(pool.max(axis=0).mean(), abs=1e-12)
    assert not [own for own in board if own.recipe == "chosen" and own.selection == "oracle"]
    marked = [own.recipe for own in board if own.oracle_recipe and own.split == "average" and own.selection == RULE]
    means = {name: _entry(board, name).mean for name in ("source_only", "dann", "cmd")[: len(grid) - 1]}
    assert marked == [max(sorted(means), key=lambda name: means[name] or 0)]


def test_few_pairs_give_a_difference_without_p() -> None:
    own = _entry(leaderboard(_suite(np.array([[[0.5, 0.6]], [[0.9, 0.9]], [[0.6, 0.8]]]))), "dann")
    assert own.difference == pytest.approx(0.15)
    assert own.p is None


def test_an_incomplete_set_pairs_what_pairs_and_says_how_many() -> None:
    rows = _suite(np.stack([np.full((2, 3), 0.5), np.full((2, 3), 0.9), np.full((2, 3), 0.7)]))
    lost = {("dann", "s0:t", 1), ("source_only", "s1:t", 2)}
    kept = [own for own in rows if (own.identity.recipe, f"{own.identity.source}:t", own.identity.seed) not in lost]
    kept.append(outcome("dann", "s0:t", 1, status="failed"))
    board = leaderboard(kept)
    assert (_entry(board, "dann").n, _entry(board, "source_only").n, _entry(board, "target_only").n) == (2, 2, 3)
    assert _entry(board, "dann", "s0:t").n == 2
    assert _entry(board, "dann").difference == pytest.approx(0.2)


def test_a_recipe_without_a_split_has_no_average() -> None:
    rows = [outcome(split="a:b", values={RULE: 0.5}), outcome("cmd", "b:a", values={RULE: 0.5})]
    own = _entry(leaderboard(rows), "dann")
    assert (own.n, own.mean, own.low, own.difference, own.p) == (0, None, None, None, None)


def test_protocols_and_tasks_are_never_averaged_together() -> None:
    rows = [
        outcome(values={RULE: 0.5}),
        outcome(values={RULE: 0.7}, protocol="paper"),
        outcome(values={RULE: 0.1}, dataset="two", task="age"),
        outcome(values={RULE: 0.2}, dataset="two", task="name"),
    ]
    means = {own.dataset: own.mean for own in leaderboard(rows) if own.recipe == "dann" and own.split == "average"}
    assert means == {"toy": 0.5, "toy[paper]": 0.7, "two/age": 0.1, "two/name": 0.2}


def test_last_has_no_chosen_recipe() -> None:
    board = leaderboard([outcome(values={"last": 0.5, "dev": 0.5})])
    assert {own.selection for own in board if own.recipe == "chosen"} == {"dev"}


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_have_the_agreed_columns_and_exact_figures(tmp_path: Path) -> None:
    store = Store(tmp_path)
    figure = 1 / 3
    values = {"last": figure, RULE: 0.5}
    store.save(outcome(values=values, scores={"last": -1e-300}, target_labels=3, seconds=0.1 + 0.2))
    store.save(outcome("source_only", values={"last": 0.25, RULE: 0.5}))
    store.save(outcome("cmd", status="failed", seconds=2.0))
    runs, board = write_exports(store)
    assert runs.read_text().splitlines()[0] == RUNS
    assert board.read_text().splitlines()[0] == BOARD
    rows = _read(runs)
    assert [row["status"] for row in rows if row["recipe"] == "cmd"] == ["failed"]
    failed = next(row for row in rows if row["recipe"] == "cmd")
    assert [failed[name] for name in ("selection", "step", "score", "source_metric", "target_metric")] == [""] * 5
    first = next(row for row in rows if (row["recipe"], row["selection"]) == ("dann", "last"))
    assert float(first["target_metric"]) == figure
    assert float(first["score"]) == -1e-300
    assert (first["run"], first["source"], first["target"]) == ("toy-inductive-digit-dann-a:b-0", "a", "b")
    assert (float(first["seconds"]), first["target_labels"], first["step"]) == (0.1 + 0.2, "3", "10")
    line = next(r for r in _read(board) if (r["recipe"], r["selection"], r["split"]) == ("dann", "last", "average"))
    assert (line["n"], float(line["mean"]), line["low"], line["p"], line["regret"]) == ("1", figure, "", "", "")
    assert float(line["difference"]) == pytest.approx(figure - 0.25, abs=1e-12)


def test_stale_rows_are_marked_and_stay_out_of_the_leaderboard(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(key="old", values={RULE: 0.1}, seed=0))
    store.save(outcome(key="lost", seed=1, status="failed"))
    store.save(outcome(key="new", values={RULE: 0.9}, seed=0))
    store.mark_expected(["new"])
    runs, board = write_exports(store)
    assert {row["run"]: row["status"] for row in _read(runs)} == {"new": "ok", "old": "stale", "lost": "stale"}
    assert {float(row["mean"]) for row in _read(board)} == {0.9}


def test_an_empty_store_exports_headers_only(tmp_path: Path) -> None:
    runs, board = write_exports(Store(tmp_path))
    assert (runs.read_text(), board.read_text()) == (RUNS + "\n", BOARD + "\n")


def test_writing_twice_gives_the_same_bytes_and_leaves_no_parts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for own in _suite(np.full((3, 2, 3), 0.5)):
        store.save(own)
    before = [path.read_bytes() for path in write_exports(store)]
    assert [path.read_bytes() for path in write_exports(store)] == before
    assert not list(tmp_path.glob("*.part"))


def test_an_export_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").mkdir()
    with pytest.raises(StoreError, match=r"runs\.csv"):
        write_exports(Store(tmp_path))
    assert not list(tmp_path.glob("*.part"))


def test_a_figure_that_is_not_finite_stays_in_runs_and_out_of_the_leaderboard(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(values={RULE: math.nan, "last": 0.5}))
    runs, board = write_exports(store)
    assert {row["selection"]: row["target_metric"] for row in _read(runs)} == {RULE: "nan", "last": "0.5"}
    assert {row["selection"] for row in _read(board)} == {"last"}
