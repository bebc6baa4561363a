"""Runs of several tasks: a section each in the report, rows each in the files, from one checkpoint per rule."""

import csv
import sqlite3
from dataclasses import replace

import pytest

from dareps.engine.outcome import Selected, by_task
from dareps.report._format import NONE
from dareps.report._section import sections
from dareps.report._tables import board_table, figures_table
from dareps.report.write import write_report
from dareps.suite.exports import leaderboard
from dareps.suite.store import Store
from tests.suite_store._make import outcome

AGE = {"rmse": 4.5, "mae": 3.25, "explained_variance": 0.5}
TAGS = {"macro_f1": 0.75, "exact_match": 0.5}


def several(recipe, seed, kind=0.8, age=-0.25, tags=0.6):
    """A run whose first task has classes, beside one of numbers and one of label sets."""

    def row(value, metrics):
        return (Selected("source_score", 10, 0.4, value + 0.1, value, metrics, []),)

    curves = {"source_accuracy": [(5, 0.1), (10, 0.2)], "source.age": [(5, 0.3), (10, 0.4)], "score.oracle": [(5, 0.1)]}
    others = {"age": row(age, AGE), "tags": row(tags, TAGS)}
    return outcome(recipe, "a:b", seed, {"source_score": kind}, task="kind", others=others, curves=curves)


RUNS = [several(recipe, seed, age=-0.25 + 0.1 * seed) for recipe in ("source_only", "joint") for seed in range(3)]


def test_by_task_gives_each_task_its_figures_and_curves_and_repeats_itself():
    found = by_task(RUNS[:1])
    assert [own.identity.task for own in found] == ["kind", "age", "tags"]
    assert [own.selected[0].target_metric for own in found] == [0.8, -0.25, 0.6]
    assert [own.further for own in found] == [False, True, True]
    assert found[1].curves["source_metric"] == [(5, 0.3), (10, 0.4)]
    assert not found[1].curves.keys() & {"source_accuracy", "score.oracle"}
    assert by_task(found) == found


def test_the_store_gives_back_what_it_was_given_and_single_tasks_leave_its_tables_alone(tmp_path):
    store = Store(tmp_path)
    plain = outcome("dann", "a:b", 0, {"last": 0.5}, task="kind")
    store.save(plain)
    with sqlite3.connect(store.path) as connection:
        assert "further" not in {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    for run in RUNS:
        store.save(run)
    assert sorted(store.outcomes(), key=lambda own: own.identity.key) == sorted(
        [plain, *RUNS], key=lambda own: own.identity.key
    )


def test_a_failed_run_that_is_done_again_leaves_no_figures_behind(tmp_path):
    store, run = Store(tmp_path), several("joint", 0)
    store.save(outcome("joint", "a:b", 0, task="kind", status="failed", key=run.identity.key))
    store.save(run)
    assert store.outcomes() == [run]


def test_leaderboard_and_sections_are_per_task():
    names = {entry.dataset for entry in leaderboard(RUNS)}
    assert names == {"toy/kind", "toy/age", "toy/tags"}
    found = {section.name: section for section in sections(RUNS, "source_score")}
    assert {name: section.measure for name, section in found.items()} == {
        "toy/kind": "accuracy",
        "toy/age": "R\u00b2",
        "toy/tags": "mean average precision",
    }
    age = board_table(found["toy/age"])
    assert age.columns[1] == "R\u00b2 %"
    cells = [[cell.text for cell in row.cells] for group in age.groups for row in group]
    assert all(row[1] == "-15.0" for row in cells)
    assert all(row[2].startswith("[-39.8") for row in cells)
    further = figures_table(found["toy/age"])
    assert further.columns[1:4] == ("RMSE", "MAE", "explained variance %")
    assert [cell.text for cell in further.groups[0][0].cells[1:4]] == ["4.5", "3.25", "50.0"]


def test_calibration_is_shown_of_the_runs_that_have_it():
    old = outcome("older", "a:b", 0, {"source_score": 0.5}, task="kind")
    new = outcome("newer", "a:b", 0, {"source_score": 0.6}, task="kind")
    (row,) = new.selected
    new = replace(new, selected=(replace(row, metrics={**row.metrics, "calibration_error": 0.125}),))
    (before,), (after,) = sections([old], "source_score"), sections([old, new], "source_score")
    assert figures_table(before).columns[1:4] == ("balanced accuracy %", "macro-F1 %", "source accuracy %")
    table = figures_table(after)
    place = table.columns.index("calibration error %")
    shown = {row.cells[0].text: row.cells[place].text for group in table.groups for row in group}
    assert (shown["newer"], shown["older"]) == ("12.5", NONE)


def test_a_single_task_baseline_meets_the_joint_run_in_the_task_s_table():
    alone = [outcome("age_alone", "a:b", seed, {"source_score": 0.1}, task="age") for seed in range(3)]
    recipes = {(entry.dataset, entry.recipe) for entry in leaderboard([*RUNS, *alone])}
    assert {("toy/age", "joint"), ("toy/age", "age_alone"), ("toy/kind", "joint")} <= recipes
    assert ("toy/kind", "age_alone") not in recipes


@pytest.mark.parametrize("stale", [False, True])
def test_the_files_have_a_row_per_task_and_rule(tmp_path, stale):
    store = Store(tmp_path)
    for run in RUNS:
        store.save(run)
    if stale:
        store.mark_expected(["other"])
    write_report(tmp_path, selection="source_score")
    with (tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(RUNS)
    assert {row["task"] for row in rows} == {"kind", "age", "tags"}
    assert {row["status"] for row in rows} == {"stale" if stale else "ok"}
    assert len({row["run"] for row in rows}) == len(RUNS)
    assert {row["step"] for row in rows} == {"10"}
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert ("toy/tags" in text) is not stale


def test_each_task_s_table_chooses_recipes_by_that_task_s_own_validation_figure():
    runs = [several("first", 0, age=0.1, tags=0.9), several("second", 0, age=0.9, tags=0.1)]
    chosen = {section.name: section.choices["a:b", 0].recipe for section in sections(runs, "source_score")}
    assert (chosen["toy/age"], chosen["toy/tags"]) == ("second", "first")


def test_rules_that_look_at_the_first_task_choose_nothing_for_another():
    row = (Selected("entropy", 10, -0.5, 0.9, 0.9, AGE, []),)
    run = outcome("joint", "a:b", 0, {"entropy": 0.5}, task="kind", others={"age": row})
    choices = {section.name: len(section.choices) for section in sections([run], "entropy")}
    assert choices == {"toy/kind": 1, "toy/age": 0}
