"""What benchmarks of transfer read from a suite's results, and the step that the feature cache's benchmark times."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks import feature_cache
from benchmarks._transfers import means, told, wall_time
from benchmarks.table_shift import beside_limits
from dareps.data.tables import Tables
from dareps.suite.exports import LEADERBOARD_COLUMNS

KNOWN = [f"best possible {what}" for what in Tables().best_scores()]


def _row(**given: object) -> dict[str, object]:
    row = dict.fromkeys(LEADERBOARD_COLUMNS, "")
    return {**row, "dataset": "d", "split": "a:b@5", "recipe": "r", "selection": "last", "mean": 0.5, **given}


def test_single_splits_of_one_rule_are_told_with_what_they_gained(tmp_path: Path) -> None:
    rows = [
        _row(low=0.4, high=0.6, difference=0.125, target_labels=30),
        _row(recipe="base", target_labels=30),
        _row(split="average"),
        _row(selection="oracle"),
        _row(recipe="failed", mean=""),
    ]
    with (tmp_path / "leaderboard.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, LEADERBOARD_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    first, second = told(means(tmp_path, "last"))
    assert (first.what, first.value, first.spread, first.group) == ("r", 0.5, (0.4, 0.6), "d, a:b@5")
    assert first.note == "+12.5 points on the baseline, 30 target labels"
    assert (second.what, second.spread) == ("base", None)
    assert second.note.startswith("the baseline")


def test_what_is_possible_stands_beside_the_recipes_of_each_split() -> None:
    where = [{"dataset": f"tables{told}", "split": "source:target"} for told in ("", "[label=1]", "[label=1]")]
    figures = beside_limits([{key: str(value) for key, value in _row(**own).items()} for own in where])
    assert [figure.what for figure in figures] == [*KNOWN, "r", *KNOWN, "r", "r"]
    still, shifted = (figures[place + 1].value or 0 for place in (0, len(KNOWN) + 1))
    assert 0.9 < still < shifted < 1
    assert [figure.group for figure in figures[-2:]] == ["tables[label=1], source:target"] * 2


@pytest.mark.parametrize(("minutes", "met"), [(9.0, True), (11.0, False), (None, None)])
def test_a_suite_that_was_not_timed_says_so(minutes: float | None, met: bool | None) -> None:
    figure = wall_time(minutes, 10.0)
    assert figure.met is met
    assert bool(figure.note) == (minutes is None)


@pytest.mark.parametrize("case", feature_cache.CASES.values(), ids=list(feature_cache.CASES))
def test_both_ways_of_the_feature_cache_can_be_timed(case: tuple[str, list[str], str]) -> None:
    assert all(feature_cache.step_time(cache, 2, *case) > 0 for cache in ("on", "off"))
