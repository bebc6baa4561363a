"""`dareps train --baseline`: a run is watched against single-task runs that are finished."""

from __future__ import annotations

from pathlib import Path

from dareps.suite.store import Store

from ._ask import ask, refused

SPLIT = ("--split", "attributes/fruit")
SMALL = ("phases.0.steps=4", "engine.evaluations=2", "data.rows_per_domain=60", "data.test_rows=30")


def curves(out: Path, tasks: int) -> dict[str, list[tuple[int, float]]]:
    (found,) = (own for own in Store(out / "train").outcomes() if len(own.others) + 1 == tasks)
    return found.curves


def test_finished_runs_on_single_tasks_are_the_reference(tmp_path: Path) -> None:
    common = ("train", "source_only", *SPLIT, *SMALL, "--out", tmp_path)
    assert ask(*common, "tasks=[kind]").exit_code == 0
    watched = ("--baseline", tmp_path / "train")
    said = refused(*common, *watched)
    assert "no finished run on one task alone, with this data and split, is there for, got 'colour'" in said
    assert "tasks=[colour]" in said
    assert ask(*common, "tasks=[colour]").exit_code == 0
    assert ask(*common, *watched).exit_code == 0
    known = {own.identity.task: own.selected for own in Store(tmp_path / "train").outcomes() if not own.others}
    found = curves(tmp_path, 2)
    for task, selected in known.items():
        (reference,) = {value for _, value in found[f"reference.{task}"]}
        assert reference in {row.source_metric for row in selected if row.selection == "source_score"}
    other = refused(*common, *watched, "data.correlation=0.0")
    assert "is there for, got 'kind, colour'" in other


def test_a_guard_of_another_kind_is_not_replaced(tmp_path: Path) -> None:
    common = ("train", "source_only", *SPLIT, *SMALL, "--out", tmp_path)
    for task in ("kind", "colour"):
        ask(*common, f"tasks=[{task}]")
    said = refused(*common, "guard=shadow", "--baseline", tmp_path / "train")
    assert "the recipe has another guard, got 'shadow'" in said
    assert "no results here" in refused(*common, "--baseline", tmp_path / "nothing")
