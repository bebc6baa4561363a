from __future__ import annotations

import csv
import itertools
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rich.console import Console

from dareps.engine.votes import save_votes
from dareps.errors import ConfigError, StoreError
from dareps.report import console_leaderboard, write_report
from dareps.report._clouds import LABEL_DISTANCE, _apart
from dareps.report._page import FILES
from dareps.suite.store import Store
from tests.suite_store._make import outcome

from ._demo import RECIPES, demo
from ._reading import Page, report_text, write

PAIRS = [f"{a}:{b}" for a, b in itertools.permutations(("books", "dvd", "electronics", "kitchen"), 2)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, str, Path]:
    folder = tmp_path_factory.mktemp("quick")
    runs = demo()
    runs[4] = replace(runs[4], warnings=("source accuracy was lost: 0.512 at the end",))
    runs[5] = replace(runs[5], warnings=("negative transfer: kind scores 0.501",))
    runs.append(outcome("cmd", "fonts:scans", 9, status="failed", dataset="digits8", error="step 3: <loss> is nan | a"))
    return (*write(folder, runs, title="Quick & <bold>"), folder)


def test_the_page_is_whole_and_needs_nothing_from_outside(two: tuple[Page, str, Path]) -> None:
    page, _, folder = two
    text = (folder / "report.html").read_text()
    assert len(page.ids) == len(set(page.ids))
    assert all(ref in FILES or ref.startswith(("#", "data:image/png;base64,")) for ref in page.references)
    assert {ref[1:] for ref in page.references if ref.startswith("#")} <= set(page.ids)
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {f"#{name}" for name in page.ids}
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in text
    outside = set(re.findall(r'https?://[^\s"<]+', text))
    assert outside <= {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"}


def test_the_page_shows_every_figure_and_table(two: tuple[Page, str, Path]) -> None:
    page, _, _ = two
    # Accuracy, curves, features of two splits, confusion.
    assert page.tags.count("svg") == 5
    for heading in ("Average over splits", "fonts:scans", "scans:fonts", "Failed runs", "Warnings"):
        assert heading in page.text
    for recipe in RECIPES:
        assert recipe in page.text
    assert "after: mcc (chosen)" in page.text


def test_texts_of_users_are_escaped(two: tuple[Page, str, Path]) -> None:
    page, notes, _ = two
    assert "bold" not in page.tags
    assert "Quick & <bold>" in page.text
    assert "step 3: <loss> is nan | a" in page.text
    assert "<loss> is nan \\| a" in notes


def test_figures_follow_the_pages_colours(two: tuple[Page, str, Path]) -> None:
    text = (two[2] / "report.html").read_text()
    assert "#12345" not in text
    assert "currentColor" in text
    assert "prefers-color-scheme: dark" in text


def test_the_numbers_of_page_markdown_and_leaderboard_agree(two: tuple[Page, str, Path]) -> None:
    page, notes, folder = two
    with (folder / "leaderboard.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["selection"] == "information_maximisation"]
    assert len(rows) == 3 * (len(RECIPES) + 1)
    for row in rows:
        shown = [f"{100 * float(row[name]):.1f}" for name in ("mean", "low", "high")]
        assert f"{shown[0]}" in page.text
        assert f"{shown[0]}" in notes
        assert f"[{shown[1]}, {shown[2]}]" in page.text
        assert f"[{shown[1]}, {shown[2]}]" in notes


def test_failures_and_collapses_are_marked(two: tuple[Page, str, Path]) -> None:
    page, notes, _ = two
    for text in (page.text, notes):
        assert "1 run failed" in text
        assert "\u26a0 1 collapsed" in text
        assert "\u2716 1 failed" in text
        assert "source accuracy was lost: 0.512" in text
        assert "negative transfer: kind scores 0.501" in text
        assert "\u26a0 2 collapsed" not in text


def test_the_page_opens_with_what_was_compared(two: tuple[Page, str, Path]) -> None:
    page, notes, _ = two
    for text in (page.text, notes.replace("`", "")):
        assert (
            "6 recipes and 2 bounds compared on 2 splits of digits8 (fonts:scans and scans:fonts), with 3 seeds."
            in text
        )
        assert "Protocol inductive" in text
        assert "selected by information_maximisation , without" in text.replace("maximisation,", "maximisation ,")
        assert "too few pairs for a test (it takes 6 splits or 5 seeds)" in text


def test_markdown_tables_are_rectangular(two: tuple[Page, str, Path]) -> None:
    for block in two[1].split("\n\n"):
        lines = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1


def test_twelve_splits_stay_compact(tmp_path: Path) -> None:
    recipes = {**RECIPES, "mmd_multi_kernel": 0.03, "domain_specific_bn": -0.03}
    page, notes = write(tmp_path, demo("amazon_reviews", PAIRS, 2, recipes, classes=2))
    assert page.tags.count("svg") == 4
    assert page.tags.count("details") == 2
    assert "the first of 12 splits" in page.text
    assert "8 recipes and 2 bounds compared on 12 splits of amazon_reviews, with 2 seeds." in page.text
    assert "beat `source_only` beyond chance (Holm-adjusted p < 0.05)" in notes
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


def test_a_report_written_twice_is_the_same(tmp_path: Path) -> None:
    runs = demo(recipes={"source_only": 0.0, "dann": 0.05}, seeds=1, splits=["a:b"])
    write(tmp_path, runs)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("report.*")}
    write(tmp_path, runs)
    assert before == {path.name: path.read_bytes() for path in tmp_path.glob("report.*")}


def test_it_says_so_when_nothing_beats_source_only(tmp_path: Path) -> None:
    runs = demo(recipes={"source_only": 0.05, "dann": -0.05, "cmd": -0.02}, seeds=2)
    notes = report_text(tmp_path, runs)
    assert "Nothing beats `source_only` here" in notes
    assert "`target_only` not run" in notes


def test_it_says_so_when_gains_may_be_chance(tmp_path: Path) -> None:
    values = {"source_only": (0.5, 0.6, 0.5, 0.6, 0.5), "dann": (0.6, 0.5, 0.6, 0.5, 0.51)}
    runs = [
        outcome(name, seed=seed, values={"entropy": value})
        for name, own in values.items()
        for seed, value in enumerate(own)
    ]
    notes = report_text(tmp_path, runs, selection="entropy")
    assert "Nothing beats `source_only` beyond chance here" in notes


def test_it_says_so_when_the_chosen_recipe_loses(tmp_path: Path) -> None:
    rule = "information_maximisation"
    runs = [
        outcome("source_only", values={rule: 0.8}, scores={rule: 0.1}),
        outcome("dann", values={rule: 0.6}, scores={rule: 0.9}),
    ]
    notes = report_text(tmp_path, runs)
    assert "chose `dann` (1 of 1): 60.0 %, \u221220.0 points" in notes
    assert "so the choice does not beat it" in notes
    assert "gave away 20.0 points" in notes
    assert "One seed gives no intervals" in notes


def test_an_empty_store_and_one_of_failed_runs_only_say_so(tmp_path: Path) -> None:
    page, notes = write(tmp_path, [])
    assert "no run has finished" in page.text
    assert "no run has finished" in notes
    page, notes = write(tmp_path, [outcome(status="failed")])
    assert "no run has finished" in page.text
    assert "the loss of align.0 is nan" in page.text
    assert "the loss of align.0 is nan" in notes
    assert _shown(tmp_path) == "No run has finished yet."


def test_stale_and_missing_runs_are_told_and_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rule = "information_maximisation"
    store.save(outcome("dann", key="old", values={rule: 0.111}))
    store.save(outcome("cmd", key="new", values={rule: 0.5}))
    store.mark_expected(["new", "planned", "too"])
    page, notes = write(tmp_path, [])
    assert "1 stale run left out" in page.text
    assert "2 runs of the suite not done yet" in page.text
    assert "Stale runs, left out above" in notes
    assert "11.1" not in notes


def test_a_headline_rule_without_results_is_replaced_and_named(tmp_path: Path) -> None:
    notes = report_text(tmp_path, [outcome(values={"last": 0.5})], selection="dev")
    assert "selected by `last` alone, at the end of training (asked for was `dev`" in notes
    assert "no recipe was chosen" in notes


def test_the_oracle_is_never_the_headline(tmp_path: Path) -> None:
    Store(tmp_path).save(outcome(values={"oracle": 0.5}))
    with pytest.raises(ConfigError, match="never the headline"):
        write_report(tmp_path, selection="oracle")
    with pytest.raises(ConfigError, match="never the headline"):
        console_leaderboard(tmp_path, selection="oracle")


def test_a_folder_without_results_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results here"):
        write_report(tmp_path)
    with pytest.raises(StoreError, match="no results here"):
        console_leaderboard(tmp_path)


def test_runs_without_curves_scatter_or_confusion_give_a_page(tmp_path: Path) -> None:
    bare = [replace(run, curves={}, scatter=None, selected=tuple(replace(row, confusion=[]) for row in run.selected))
            for run in demo(seeds=1)]  # fmt: skip
    page, _ = write(tmp_path, bare)
    assert page.tags.count("svg") == 1


def test_recipes_that_could_not_run_on_every_split_have_no_average(tmp_path: Path) -> None:
    runs = [run for run in demo(seeds=2) if (run.identity.recipe, run.identity.source) != ("mcc", "fonts")]
    notes = report_text(tmp_path, runs)
    assert re.search(r"\| mcc \| \u2013 \| \u2013 \| [^|\u2013]* \|", notes)


def _shown(folder: Path, width: int = 160) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(console_leaderboard(folder))
    return capture.get().strip()


def test_the_console_table_sets_bounds_apart(two: tuple[Page, str, Path]) -> None:
    lines = _shown(two[2]).splitlines()
    assert "digits8, average of 2 splits, checkpoints by information_maximisation" in lines[0]
    names = [line.split()[0] for line in lines[4:] if line.strip()]
    assert (names[0], names[1], names[-1]) == ("chosen", "target_only", "source_only")
    assert set(names) == {*RECIPES, "chosen"}


def test_a_terminal_is_spared_many_tables(two: tuple[Page, str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dareps.report.console.MANY", 0)
    assert _shown(two[2]).splitlines()[0].startswith("The tables of")


def test_importing_the_report_imports_nothing_heavy() -> None:
    code = "import sys, dareps.report; print([m for m in ('torch', 'matplotlib', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_when_the_choice_is_source_only_figures_show_the_oracle_recipe(tmp_path: Path) -> None:
    runs = demo(recipes={"source_only": 0.0, "dann": 0.05}, seeds=1)
    rule = "information_maximisation"
    shy = [
        replace(
            run, selected=tuple(replace(row, score=float(run.identity.recipe == "source_only")) for row in run.selected)
        )
        for run in runs
    ]
    assert "`source_only` (2 of 2)" in report_text(tmp_path, shy, rule)
    assert "no adaptation at all" in report_text(tmp_path, shy, rule)
    page, _ = write(tmp_path, [])
    assert "after: dann (oracle recipe)" in page.text
    assert "dann minus source_only" in page.text


@settings(max_examples=30)
@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 10), st.just(2)), elements=st.floats(-3, 3)))
def test_class_labels_do_not_overlap(places: np.ndarray) -> None:
    extent = np.array([6.0, 4.0])
    moved = _apart(places, extent) / extent
    apart = np.linalg.norm(moved[:, None] - moved[None], axis=2) + np.eye(len(places))
    assert apart.min() > 0.8 * LABEL_DISTANCE


def test_mean_choice_and_ensemble_of_seeds_stand_apart(tmp_path: Path) -> None:
    rule, labels = "information_maximisation", np.array([0, 1, 1, 0])
    for seed, (value, score) in enumerate([(0.5, 0.1), (0.75, 0.9), (0.25, 0.2)]):
        run = outcome("dann", seed=seed, values={rule: value}, scores={rule: score})
        logits = 3.0 * np.eye(2)[labels]
        logits[seed] = logits[seed][::-1]
        save_votes(tmp_path, run.identity.key, labels, {10: logits})
        Store(tmp_path).save(run)
    write_report(tmp_path)
    notes = (tmp_path / "report.md").read_text()
    assert "| recipe | mean of seeds | seed chosen by the rule | ensemble of seeds | members | n |" in notes
    assert "| dann | 50.0 | 75.0 | 100.0 | 3 | 3 |" in notes
    (board,) = re.findall(r"^\| dann \|.*\[.*$", notes, re.MULTILINE)
    assert "100.0 |" not in board.replace("[0.0, 100.0]", "")


def test_one_seed_has_no_table_of_seeds(tmp_path: Path) -> None:
    assert "ensemble of seeds" not in report_text(tmp_path, demo(seeds=1))
