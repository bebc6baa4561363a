"""What an accuracy benchmark reads out of a suite's files."""

from __future__ import annotations

from benchmarks._suites import Goal, _goal, _seeds

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
