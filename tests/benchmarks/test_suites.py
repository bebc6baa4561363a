"""What an accuracy benchmark reads out of a suite's files."""

from __future__ import annotations

import pytest

from benchmarks._suites import FEW, MANY, Goal, _goal, _recipes, _seeds, _together, deltas
from benchmarks.attributes_mtl import _point
from dareps.suite.units import EVERY_TASK, POOLED

ROW = {"split": "average", "recipe": "chosen", "selection": "information_maximisation"}
ROWS = [
    {**ROW, "mean": "0.5", "chosen": "0.6", "ensemble": "0.7"},
    {**ROW, "split": "a:b", "mean": "0.4", "chosen": "", "ensemble": ""},
    {**ROW, "selection": "oracle", "mean": "0.9", "chosen": "0.9", "ensemble": "0.9"},
]


def test_a_goal_says_which_reading_of_the_seeds_it_means() -> None:
    readings = [
        _goal(Goal("chosen", ROW["selection"], 0.5, reading=name), ROWS) for name in ("mean", "chosen", "ensemble")
    ]
    assert [figure.value for figure in readings] == [0.5, 0.6, 0.7]
    assert len({figure.what for figure in readings}) == 3


def test_a_reading_that_is_missing_is_no_figure() -> None:
    figure = _goal(Goal("chosen", ROW["selection"], 0.5, ("a:b",), "ensemble"), ROWS)
    assert figure.value is None
    assert figure.note


def test_chosen_seeds_and_ensembles_are_listed_under_the_headline_alone() -> None:
    found = _seeds(ROWS)
    assert [figure.value for figure in found] == [0.6, 0.7]
    assert len({figure.group for figure in found}) == 2


DELTA = {"recipe": "hard", "selection": "source_score", "baseline": "single_task", "task": "", "domain": "", "p": ""}


def delta(measure: str, value: str, **others: str) -> dict[str, str]:
    return {**DELTA, "measure": measure, "value": value, "low": "0.5", "high": "1.5", **others}


def test_gains_on_single_tasks_are_those_under_the_suites_rule() -> None:
    rows = [
        delta("over_tasks", "1.25", p="0.04"),
        delta("over_tasks", "9", selection="last"),
        delta("over_tasks", "", recipe="mmoe"),
        delta("difference", "0.02", task="kind"),
    ]
    whole, single = deltas(rows, "source_score", prefix="at 0, ")
    assert (whole.value, whole.unit, whole.spread) == (1.25, "%", (0.5, 1.5))
    assert (whole.group, whole.note) == ("at 0, Delta_m over tasks against single_task", "p = 0.04 after Holm")
    assert (single.value, single.group) == (0.02, "at 0, difference in kind against single_task")
    many = [delta("difference", "0.1", task=f"s{number}") for number in range(FEW + 1)]
    assert deltas(many, "source_score") == []


def test_datasets_are_named_where_there_are_several_and_left_out_where_there_are_many() -> None:
    def groups(count: int) -> list[str]:
        rows = [{**ROW, "dataset": f"d{number}", "mean": "0.5", "low": "", "high": ""} for number in range(count)]
        return [figure.group for figure in _recipes(rows)]

    assert groups(1) == ["average, information_maximisation"]
    assert groups(2) == ["d0 average, information_maximisation", "d1 average, information_maximisation"]
    assert groups(MANY + 1) == []


def test_rows_of_all_tasks_together_are_a_mean_over_seeds() -> None:
    common = {"recipe": "soft", "metric": "r2", "selection": "last"}
    pooled = {**common, "task": EVERY_TASK, "domain": POOLED}
    rows = [
        {**pooled, "value": "0.2"},
        {**pooled, "value": "0.4"},
        {**common, "task": "s1", "domain": "a", "value": "9"},
    ]
    (figure,) = _together(rows, "last")
    assert figure.value == pytest.approx(0.3)
    assert figure.spread is not None
    assert figure.spread[0] < 0.2 < 0.4 < figure.spread[1]


def test_the_plot_takes_each_tasks_difference_in_points() -> None:
    rows = [delta("difference", "0.02", task="kind"), delta("difference", "0.03", task="kind", selection="last")]
    assert _point(rows, "hard", "kind") == pytest.approx((2.0, 50.0, 150.0))
    assert _point(rows, "hard", "colour") is None
