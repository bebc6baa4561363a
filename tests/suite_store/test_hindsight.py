"""Advice in hindsight: what its strategy cost, counted from results; and a suite that measures and tells it."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.errors import ConfigError
from dareps.report._advice import advice_notes, advice_tables
from dareps.suite.expand import read_suite
from dareps.suite.hindsight import (
    SCORES,
    STRATEGIES,
    Told,
    agreements,
    always,
    cases,
    hits,
    keep,
    told_in,
)
from dareps.suite.store import Store
from dareps.transfer.advice import Measured, StageScores, advise
from tests.cli._ask import ask

from ._make import outcome

REACHED = {"extract": 0.5, "extract_low": 0.6, "fine_tune_top": 0.7, "fine_tune_all": 0.705, "target_only": 0.4}
EXTRACT, ALL = {"per_class": 4, "near": True}, {"per_class": 200, "near": False}


def told(split: str, seed: int, per_class: int, near: bool, key: str = "") -> Told:
    """What leads to `extract` for few rows of near targets, to `fine_tune_all` for many of far ones."""
    logme = (0.0, 0.2) if near else (0.2, 0.0)
    stages = tuple(StageScores(f"s{n}", 4, 0.1 if near else 1.9, value, 1.0 + n) for n, value in enumerate(logme))
    leep = -0.1 if near else -1.3
    return Told(
        key or f"{split}-{seed}",
        "toy",
        split,
        seed,
        Measured("digit", 4 * per_class, 4, math.log(4), leep, leep, stages),
    )


def grid(reached: dict[str, dict[str, float]], seeds: int = 2):
    return [
        outcome(recipe, split, seed, {"last": value + 0.01 * seed, "entropy": 0.0})
        for split, own in reached.items()
        for recipe, value in own.items()
        for seed in range(seeds)
    ]


def test_regret_is_the_best_mean_minus_that_of_what_each_seed_was_advised() -> None:
    own = [told("a:b", 0, **EXTRACT), told("a:b", 1, **ALL)]
    assert [advise(each.measured).strategy for each in own] == ["extract", "fine_tune_all"]
    [case] = cases(grid({"a:b": REACHED}), own, ["last"])
    assert (case.dataset, case.split, case.best) == ("toy", "a:b", "fine_tune_all")
    assert case.accuracy["extract"] == pytest.approx(0.505)
    assert case.scratch == pytest.approx(0.405)
    assert case.advised == {"extract": 1, "fine_tune_all": 1}
    assert case.regret == pytest.approx((0.205 + 0) / 2)
    assert case.per_class == 102
    assert case.scores["H-score"] == 2.0
    assert not case.hit


def test_a_cell_needs_all_four_strategies_and_advice() -> None:
    lacking = {name: value for name, value in REACHED.items() if name != "extract_low"}
    runs = grid({"a:b": REACHED, "a:c": lacking, "b:c": REACHED})
    own = [told(split, 0, **ALL) for split in ("a:b", "a:c", "d:e")]
    assert [case.split for case in cases(runs, own, ["last"])] == ["a:b"]
    assert cases(runs, [], ["last"]) == []


def test_the_first_rule_with_results_counts() -> None:
    own = [told("a:b", 0, **ALL)]
    [case] = cases(grid({"a:b": REACHED}), own, ["dev", "last", "entropy"])
    assert case.accuracy["fine_tune_all"] == pytest.approx(0.71)


@given(st.lists(st.tuples(*[st.integers(0, 100)] * 4), min_size=1, max_size=6))
def test_hits_and_what_always_doing_the_same_would_cost(table) -> None:
    reached = {
        f"a:{place}": {name: value / 100 for name, value in zip(STRATEGIES, row, strict=True)}
        for place, row in enumerate(table)
    }
    found = cases(grid(reached, 1), [told(split, 0, **ALL) for split in reached], ["last"])
    count, cost = always(found, "fine_tune_all")
    assert (hits(found), cost) == (count, pytest.approx(sum(case.regret for case in found) / len(found)))
    assert all(
        case.regret >= 0 and case.hit == (max(row) - row[3] <= 1) for case, row in zip(found, table, strict=True)
    )


def test_scores_that_rank_as_accuracy_does_have_rho_1_and_their_opposite_minus_1() -> None:
    rising = {f"a:{n}": dict.fromkeys(STRATEGIES, 0.1 * n) for n in range(1, 6)}
    own = [told(f"a:{n}", 0, per_class=10, near=True) for n in range(1, 6)]
    for n, each in enumerate(own):
        top = each.measured.stages[-1]
        object.__setattr__(top, "logme", float(n))
        object.__setattr__(top, "distance", 2.0 - 0.1 * n)
    found = {(each.score, each.strategy): each.rho for each in agreements(cases(grid(rising), own, ["last"]))}
    assert found["LogME", "extract"] == pytest.approx(1)
    assert found["proxy A-distance", "fine_tune_all"] == pytest.approx(-1)
    assert math.isnan(found["LEEP", "extract"])  # The same for all.
    assert found.keys() == {(score, strategy) for score in SCORES for strategy in STRATEGIES}


def test_too_few_cells_have_no_rank_correlation() -> None:
    few = {f"a:{n}": REACHED for n in range(3)}
    found = agreements(cases(grid(few), [told(split, 0, **ALL) for split in few], ["last"]))
    assert all(math.isnan(each.rho) for each in found)


def test_what_was_measured_is_kept_once_and_read_back_equal(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = told("a:b", 0, **EXTRACT, key="k"), told("a:b", 1, **ALL, key="l")
    keep(store, [first])
    keep(store, [second])
    keep(store, [told("a:b", 0, **ALL, key="k")])
    assert told_in(store) == [told("a:b", 0, **ALL, key="k"), second]
    assert told_in(Store(tmp_path / "other")) == []


def test_words_and_tables() -> None:
    found = cases(grid({"a:b": REACHED}), [told("a:b", 0, **EXTRACT), told("a:b", 1, **ALL)], ["last"])
    [sentence] = advice_notes(found)
    assert "within 1 point of the best strategy in 0 of 1 cell, 10.2 points below" in sentence
    assert "always `fine_tune_all` in 1, 0.0 points below" in sentence
    table, ranks = advice_tables(found)
    cells = [cell.text for cell in table.groups[0][0].cells]
    assert cells[-2:] == ["1 extract, 1 fine_tune_all", "\u221210.2"]
    assert len(ranks.groups[0]) == len(SCORES)
    assert advice_tables([]) == advice_notes([]) == []


def test_a_suite_with_advice_needs_entries_of_all_strategies(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("splits: [digits8/fonts:scans@5]\nrecipes: [{name: extract, recipe: fine_tuning}]\nadvice: true\n")
    with pytest.raises(ConfigError, match="advice: no entry is called extract_low, fine_tune_top, fine_tune_all"):
        read_suite(str(path))


def test_a_suite_measures_once_and_tells(tmp_path: Path) -> None:
    small = ("phases.0.steps=10", "phases.1.steps=5", "--seeds", 1, "--workers", 1, "--out", tmp_path)
    words = ("bench", "cases", "--splits", "digits8/fonts:scans@5,digits8/fonts:scans@9", *small)
    assert ask(*words).exit_code == 0
    store = Store(tmp_path / "cases")
    before = told_in(store)
    assert [(own.split, own.seed, own.measured.rows) for own in before] == [
        ("fonts:scans@5", 0, 50),
        ("fonts:scans@9", 0, 90),
    ]
    with (tmp_path / "cases" / "advice.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["split"], row["stage"]) for row in rows[:3]] == [
        ("fonts:scans@5", stage) for stage in ("conv1", "conv2", "dense")
    ]
    assert {row["strategy"] for row in rows} <= set(STRATEGIES)
    page = (tmp_path / "cases" / "report.html").read_text(encoding="utf-8")
    assert "Advice in hindsight" in page
    assert "What scores say of accuracy" in page
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dareps.suite.advise.pretrained", lambda *_: pytest.fail("it was measured again"))
        assert ask(*words).exit_code == 0
    assert told_in(store) == before
