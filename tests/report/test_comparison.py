"""What makes a comparison uneven is said, and what is left out is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dareps.engine.ledger import Ledger
from dareps.engine.outcome import Outcome
from dareps.report import console_notes
from dareps.report._tables import COLUMNS
from dareps.suite.store import Store
from tests.suite_store._make import outcome

from ._demo import demo
from ._reading import report_text, write

RULE = "information_maximisation"
TWICE = (("a:b", 0), ("b:a", 0))


def config(steps: int, batch: int = 64, **data: Any) -> Mapping[str, Any]:
    phase = {"name": "train", "steps": steps, "batch": batch, "optimizer": {"name": "adam", "lr": 0.002}}
    method = {"encoder": {"name": "mlp", "width": 8}, "normalise": "joint", "phases": [phase]}
    return {"method": method, "data": {"name": "toy", "limit": None, **data}, "engine": {"precision": "float32"}}


def run(recipe: str, value: float = 0.5, split: str = "a:b", seed: int = 0, **rest: Any) -> Outcome:
    return outcome(recipe, split, seed, values={RULE: value}, **rest)


def test_mixed_budgets_are_told(tmp_path: Path) -> None:
    runs = [run("source_only", config=config(20)), run("mcc", config=config(800))]
    runs.append(run("dann", config=config(800, 32, limit=9)))
    page, notes = write(tmp_path, runs)
    told = (
        "Not a fair comparison: steps differ: 20 (source_only), 800 (dann and mcc); "
        "batch sizes differ: 32 (dann), 64 (mcc and source_only); "
        "data settings differ: as shipped (mcc and source_only), limit 9 (dann)."
    )
    assert told in page.text
    assert told in notes
    assert console_notes(tmp_path) == [f"toy: {told}"]


def test_recipes_on_other_representations_are_told_apart(tmp_path: Path) -> None:
    msda = {"name": "msda", "layers": 3, "output": "all"}
    runs = [run("source_only", config=config(20, representation=None))]
    runs.append(run("mcc_msda", config=config(20, representation=msda)))
    told = "Not a fair comparison: representations differ: msda, layers 3 (mcc_msda), none (source_only)."
    assert told in report_text(tmp_path, runs)


def test_equal_budgets_and_recipes_without_steps_are_fair(tmp_path: Path) -> None:
    plain = {**config(1), "method": {"phases": [{"name": "linear_svm", "folds": 5}]}}
    runs = [run("source_only", config=config(20)), run("mcc", config=config(20)), run("linear_svm", config=plain)]
    runs += [run(name, split="b:a", config=config(90)) for name in ("source_only", "mcc")]
    runs.append(run("linear_svm", split="b:a", config=plain))
    notes = report_text(tmp_path, runs)
    assert "Not a fair" not in notes
    assert console_notes(tmp_path) == []


def test_the_report_says_how_runs_were_made(tmp_path: Path) -> None:
    runs = [run(name, config=config(20)) for name in ("source_only", "dann", "mcc")]
    page, notes = write(tmp_path, [*runs, run("cmd", config=config(40))])
    assert "| training steps | 20; 40 (cmd) |" in notes
    assert "| optimizer | adam, rate 0.002 |" in notes
    assert "| encoder | mlp, width 8 |" in notes
    assert "| normalisation | joint |" in notes
    assert "How these runs were made" in page.text
    assert {"leaderboard.csv", "runs.csv"} <= set(page.references)
    assert f"{tmp_path.name}: dareps report" in page.text


def test_numbers_of_seeds_that_differ_are_told(tmp_path: Path) -> None:
    report_text(tmp_path, [run("source_only", seed=seed) for seed in range(3)] + [run("mcc")])
    assert console_notes(tmp_path) == ["toy: n differs between recipes: 1 seed (mcc), 3 seeds (source_only)."]


def test_stale_runs_are_counted_with_their_reasons(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for own in (run("mcc", key="old", config=config(5)), run("mcc", key="same", config=config(9))):
        store.save(own)
    for own in (run("target_only", key="gone"), run("mcc", key="new", config=config(9))):
        store.save(own)
    store.mark_expected(["new"])
    (told,) = console_notes(tmp_path)
    assert told.startswith("3 stale runs left out: ")
    for reason in ("other settings", "an older version of data or plug-ins", "settings that are not asked for now"):
        assert f"1 made with {reason}" in told
    notes = report_text(tmp_path, [])
    assert told in notes
    assert "- `source_only` not run. `target_only` stale, left out." in notes


def test_recipes_whose_runs_all_failed_have_a_row(tmp_path: Path) -> None:
    lost = [run("boom", split=split, seed=seed, status="failed") for split, seed in TWICE]
    runs = [run(name, split=split) for name in ("source_only", "mcc") for split, _ in TWICE]
    notes = report_text(tmp_path, [*runs, *lost])
    assert "| boom | failed | \u2013 | \u2013 | 0 | \u2716 2 failed |" in notes
    assert notes.count("| boom | failed |") == 3


def test_columns_without_a_figure_are_left_out(tmp_path: Path) -> None:
    notes = report_text(tmp_path, [run("source_only"), run("mcc")])
    heads = [line for line in notes.splitlines() if line.startswith("| recipe | accuracy %")]
    assert heads == ["| recipe | accuracy % | vs source_only | target labels | n | remarks |"]
    known = {name.replace("REFERENCE", "source_only") for name in COLUMNS}
    assert set(heads[0].strip("| ").split(" | ")) < known
    assert "Intervals are 95 %" not in notes


def test_intervals_are_shown_within_the_range_of_accuracy(tmp_path: Path) -> None:
    runs = [run("mcc", value, seed=seed) for seed, value in enumerate((0.99, 0.6))]
    assert ", 100.0]" in report_text(tmp_path, runs)


def test_target_labels_are_a_range_where_splits_differ(tmp_path: Path) -> None:
    runs = [run("target_only", split=split, target_labels=count) for split, count in (("a:b", 862), ("b:a", 864))]
    assert "862\u2013864" in report_text(tmp_path, runs)


def test_a_checkpoint_that_knows_nothing_of_the_source_is_marked(tmp_path: Path) -> None:
    runs = [run("source_only"), run("mcc"), run("target_only")]
    low = [replace(own, selected=tuple(replace(row, source_metric=0.55) for row in own.selected)) for own in runs[1:]]
    notes = report_text(tmp_path, [runs[0], *low])
    assert "| mcc | 50.0 | +0.0 | 0 | 1 | oracle recipe, \u26a0 1 collapsed |" in notes
    assert "*upper bound*" in notes


def test_what_was_never_learned_is_not_called_lost() -> None:
    def told(*curve: float) -> str:
        return "".join(Ledger(curves={"source_accuracy": list(enumerate(curve))}).warnings(2, True))

    assert told(0.5, 0.57) == "the source was never learned: accuracy 0.570 at best, 0.500 by chance"
    assert told(0.9, 0.55) == "source accuracy was lost: 0.550 at the end, 0.900 at best"
    assert told(0.5, 0.9) == ""


def test_recipes_worse_beyond_chance_are_named(tmp_path: Path) -> None:
    notes = report_text(
        tmp_path, demo(splits=[f"a:{place}" for place in range(8)], seeds=1, recipes={"source_only": 0.0, "dan": -0.2})
    )
    assert "Nothing beats `source_only` here" in notes
    assert "Worse beyond chance: `dan`." in notes


def test_verbs_go_with_their_number(tmp_path: Path) -> None:
    notes = report_text(tmp_path, [run("source_only", 0.5), run("mcc", 0.6), run("dan", 0.4)])
    assert "1 of 2 recipes reaches a higher accuracy" in notes
    assert "2 recipes and 1 bound compared on" in notes
