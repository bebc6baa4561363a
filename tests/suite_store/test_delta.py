"""Delta_m against closed forms, scipy and missing baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from dareps.engine.outcome import Identity, Outcome, Selected, UnitScore
from dareps.report import console_leaderboard, write_report
from dareps.report._delta import delta_notes, delta_tables
from dareps.suite.apart import Comparison
from dareps.suite.delta import DeltaEntry, Figures, delta_board, delta_m, relative_gains
from dareps.suite.store import Store
from dareps.tasks import KINDS

CLASSES, NUMBERS = KINDS["classification"].relative, KINDS["regression"].relative


def classes(accuracy: float, balanced: float, f1: float) -> Figures:
    return Figures(accuracy, {"accuracy": accuracy, "balanced_accuracy": balanced, "macro_f1": f1}, CLASSES)


def errors(rmse: float, mae: float) -> Figures:
    return Figures(1 - rmse, {"rmse": rmse, "mae": mae}, NUMBERS)


def test_signs_turn_where_lower_is_better() -> None:
    assert relative_gains(classes(0.9, 0.8, 0.5), classes(0.6, 0.8, 1.0)) == {
        "accuracy": pytest.approx(50),
        "balanced_accuracy": 0,
        "macro_f1": -50,
    }
    assert relative_gains(errors(1.0, 3.0), errors(2.0, 2.0)) == {"mae": -50, "rmse": 50}


def test_both_conventions_by_hand() -> None:
    ours = {("group", "x"): classes(0.66, 0.66, 0.66), ("age", "x"): errors(1.0, 1.6)}
    base = {("group", "x"): classes(0.6, 0.6, 0.6), ("age", "x"): errors(2.0, 2.0)}
    # Gains 10, 10, 10 and 50, 20: five metrics, two tasks.
    assert delta_m(ours, base, "over_metrics") == pytest.approx((30 + 70) / 5)
    assert delta_m(ours, base, "over_tasks") == pytest.approx((10 + 35) / 2)
    assert delta_m(base, base, "over_tasks") == delta_m(base, base, "over_metrics") == 0


def test_a_baseline_of_zero_has_no_relative_gain() -> None:
    ours, base = {("a", "x"): errors(1, 1)}, {("a", "x"): errors(0, 1)}
    assert math.isnan(delta_m(ours, base, "over_tasks"))


def test_figures_that_may_be_negative_stay_out() -> None:
    for kind in KINDS.values():
        assert set(kind.relative) <= {kind.primary, *kind.further}
    assert not {"r2", "explained_variance"} & set(NUMBERS)


def outcome(recipe: str, seed: int, values: Mapping[str, float], split: str = "x", status: str = "ok") -> Outcome:
    """A run of tasks of classes; all metrics of a task are equal."""
    units = [
        UnitScore(task, "x", "last", 9, 50, value, dict.fromkeys(("balanced_accuracy", "macro_f1"), value))
        for task, value in values.items()
    ]
    rows = {
        task: (Selected("last", 9, 0.5, 0.5, unit.value, unit.metrics, []),)
        for task, unit in zip(values, units, strict=True)
    }
    first, *others = rows
    key = f"{recipe}-{'+'.join(values)}-{seed}"
    who = Identity(key, recipe, "toy", split, "", first, "supervised", seed, {"seed": seed})
    if status == "failed":
        return Outcome(who, "failed", error="step 3: the loss is nan")
    return Outcome(who, "ok", selected=rows[first], others={own: rows[own] for own in others}, units=tuple(units))


def single(seed: int, values: Mapping[str, float]) -> list[Outcome]:
    return [outcome("single", seed, {task: value}) for task, value in values.items()]


def one(found: list[DeltaEntry], measure: str, recipe: str = "joint", task: str = "") -> DeltaEntry:
    (entry,) = [own for own in found if (own.measure, own.recipe, own.task) == (measure, recipe, task)]
    return entry


JOINT = ([0.66, 0.63, 0.75, 0.6, 0.69], [0.44, 0.5, 0.38, 0.42, 0.46])
BASE = {"kind": 0.6, "age": 0.4}


def two_tasks() -> list[Outcome]:
    runs = [outcome("joint", seed, {"kind": a, "age": b}) for seed, (a, b) in enumerate(zip(*JOINT, strict=True))]
    return [*runs, *(own for seed in range(5) for own in single(seed, BASE))]


def test_seeds_have_an_interval_and_a_test_as_scipy_has_them() -> None:
    found = delta_board(two_tasks(), "single")
    gains = np.mean([100 * (np.array(JOINT[0]) / 0.6 - 1), 100 * (np.array(JOINT[1]) / 0.4 - 1)], axis=0)
    entry = one(found, "over_tasks")
    low, high = stats.t.interval(0.95, 4, gains.mean(), stats.sem(gains))
    assert (entry.n, entry.missing, entry.baseline) == (5, "", "single")
    assert (entry.value, entry.low, entry.high) == pytest.approx((gains.mean(), low, high))
    assert entry.p == pytest.approx(stats.ttest_1samp(gains, 0).pvalue)
    own = one(found, "difference", task="kind")
    gaps = np.array(JOINT[0]) - 0.6
    assert (own.mean, own.base, own.value) == pytest.approx((np.mean(JOINT[0]), 0.6, gaps.mean()))
    assert (own.low, own.high) == pytest.approx(stats.t.interval(0.95, 4, gaps.mean(), stats.sem(gaps)))
    raw = sorted(
        stats.ttest_1samp(np.array(ours) - base, 0).pvalue for ours, base in zip(JOINT, (0.6, 0.4), strict=True)
    )
    adjusted = [one(found, "difference", task=task).p for task in ("kind", "age")]
    assert sorted(p or 0 for p in adjusted) == pytest.approx([min(1, 2 * raw[0]), max(min(1, 2 * raw[0]), raw[1])])


def test_many_units_are_tested_by_wilcoxon_over_units() -> None:
    names = [f"t{place}" for place in range(7)]
    gaps = [0.05, 0.01, -0.02, 0.04, 0.03, 0.06, 0.07]
    runs = [outcome("joint", 0, {name: 0.5 + gap for name, gap in zip(names, gaps, strict=True)})]
    entry = one(delta_board([*runs, *single(0, dict.fromkeys(names, 0.5))], "single"), "over_metrics")
    assert entry.p == pytest.approx(stats.wilcoxon(gaps).pvalue)
    assert (entry.n, entry.low) == (1, None)


def test_few_seeds_and_units_have_no_p() -> None:
    runs = [own for own in two_tasks() if own.identity.seed < 4]
    assert {entry.p for entry in delta_board(runs, "single")} == {None}


def test_p_values_are_adjusted_over_recipes() -> None:
    runs = two_tasks()
    more = [replace(own, identity=replace(own.identity, recipe="soft", key=f"{own.identity.key}s")) for own in runs[:5]]
    alone, both = delta_board(runs, "single"), delta_board([*runs, *more], "single")
    p = one(alone, "over_tasks").p
    assert p is not None
    assert one(both, "over_tasks", "soft").p == one(both, "over_tasks").p == min(1, 2 * p)


@pytest.mark.parametrize(("failed", "why"), [(True, "failed"), (False, "was not run")])
def test_a_seed_without_its_baseline_is_left_out_and_named(failed: bool, why: str) -> None:
    runs = [own for own in two_tasks() if own.identity.key != "single-age-2"]
    runs += [outcome("single", 2, {"age": 0.4}, status="failed")] if failed else []
    found = delta_board(runs, "single")
    entry = one(found, "over_tasks")
    assert (entry.n, entry.missing) == (4, f"seed 2: the baseline {why} for age on x")
    assert one(found, "difference", task="kind").n == 5
    assert one(found, "difference", task="age").missing == f"seed 2: the baseline {why}"
    assert delta_notes(found) == [f"Delta_m of `joint` on toy[supervised], x lacks seeds: {entry.missing}."]


def test_without_any_baseline_there_is_no_figure_but_a_reason() -> None:
    runs = [own for own in two_tasks() if own.identity.recipe == "joint"]
    entry = one(delta_board(runs, "single"), "over_metrics")
    assert (entry.n, entry.value, entry.p) == (0, None, None)
    assert entry.missing.count("was not run") == 5
    assert delta_board(runs, "") == []
    (table, *_) = delta_tables(delta_board(runs, "single"), ["last"])
    assert table.groups[0][0].role == "failed"


def test_reports_set_recipes_against_the_single_task_baseline(tmp_path: Path) -> None:
    from rich.console import Console

    store = Store(tmp_path)
    for own in two_tasks():
        store.save(own)
    plain = write_report(tmp_path).with_suffix(".md").read_text(encoding="utf-8")
    assert "Delta_m" not in plain
    Comparison("single").keep(store)
    page = write_report(tmp_path)
    text = page.with_suffix(".md").read_text(encoding="utf-8")
    for words in ("lower bound", "no adaptation", "target labels:"):
        assert words not in text.split("## How to read")[0]
    assert "single-task baseline" in text
    assert "### Delta_m against single: toy[supervised], x, checkpoints by last" in text
    assert "vs single" in text
    assert "Delta_m against single" in page.read_text(encoding="utf-8")
    lines = (tmp_path / "delta.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[5] for line in lines] == ["measure", "over_metrics", "over_tasks", *["difference"] * 2]
    shown = Console(width=200, record=True, file=(tmp_path / "console.txt").open("w"))
    shown.print(console_leaderboard(tmp_path))
    assert "Delta_m against single" in shown.export_text()
