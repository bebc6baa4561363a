"""What recipes of several phases still know of what they learned first."""

import csv
from pathlib import Path

import pytest
import torch

from dareps.engine.execute import Surroundings, execute
from dareps.recipe.bind import bind_run
from dareps.report._amounts import amounts, amounts_plot, told
from dareps.report._forgetting import forgetting_tables
from dareps.report._page import build_page
from dareps.report._style import looks
from dareps.report.write import write_report
from dareps.suite.forgetting import forgetting_board, forgotten
from dareps.suite.store import Store

SMALL = [("encoder", {"name": "mlp", "width": 8}), ("phases.*.steps", 30), ("engine.evaluations", 2)]


def outcomes_of(folder, recipe, split, seeds=2, changes=()):
    runs = [bind_run(recipe, split, seed, [*SMALL, *changes]) for seed in range(seeds)]
    return [execute([run], Surroundings(folder, torch.device("cpu")))[0] for run in runs]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("transfer")
    store = Store(path)
    for count in (2, 5):
        for recipe in ("feature_extraction", "fine_tuning", "target_only"):
            for outcome in outcomes_of(path, recipe, f"digits8/fonts:scans@{count}"):
                store.save(outcome)
    return path


def test_a_frozen_encoder_forgets_nothing_and_one_phase_has_nothing_to_forget(folder):
    for outcome in Store(folder).outcomes():
        pairs = forgotten(outcome)
        if outcome.identity.recipe == "target_only":
            assert pairs == {}
        else:
            before, after = pairs["digit"]
            assert before == dict(outcome.curves["source_accuracy"])[30]
            assert after == outcome.curves["former.digit"][-1][1]
        if outcome.identity.recipe == "feature_extraction":
            assert before == after


def test_the_board_pairs_by_seed_and_is_exported(folder):
    board = forgetting_board(Store(folder).outcomes())
    assert {(own.recipe, own.split, own.n) for own in board} == {
        (recipe, f"fonts:scans@{count}", 2) for recipe in ("feature_extraction", "fine_tuning") for count in (2, 5)
    }
    for own in board:
        assert own.change == pytest.approx(own.after - own.before)
        assert own.low <= own.change <= own.high
    write_report(folder)
    with (folder / "forgetting.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(board)
    (table,) = forgetting_tables(board)
    assert len(table.groups[0]) == len(board)
    assert table.title in (folder / "report.md").read_text(encoding="utf-8")


def test_a_task_that_a_head_was_kept_for_is_judged_by_it(tmp_path):
    few = [("data.rows_per_domain", 60), ("data.test_rows", 30)]
    changes = [("phases.0.tasks", ["kind"]), ("phases.1.tasks", ["colour"]), *few]
    (outcome,) = outcomes_of(tmp_path, "task_adaptation", "attributes/fruit", 1, changes)
    assert set(forgotten(outcome)) == {"kind"}
    assert forgotten(outcome)["kind"][1] == outcome.curves["source.kind"][-1][1]


def test_splits_that_differ_in_labels_alone_are_drawn_together(folder):
    section = build_page(Store(folder), selection="last").blocks[0].section
    assert amounts(section) == {"fonts:scans": {2: "fonts:scans@2", 5: "fonts:scans@5"}}
    figure = amounts_plot(section, looks(section.recipes))
    assert figure is not None
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["2", "5"]
    assert len(told(section)) == 2
