"""A loss of one's own: one file in any folder, and nothing else, makes it a part like the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from dareps import plugin
from dareps.alignment import Alignment
from dareps.plugin import load_file
from dareps.suite.store import Store
from dareps.testing import LawViolation, check_alignment, parametrize_alignments
from tests.cli._ask import ask
from tests.integration._suites import SPLIT, csv_rows

LOSS = '''
from pydantic import Field

from dareps.alignment import Alignment


class MeanDistance(Alignment):
    """Squared distance of the means: |mean x - mean y|^2. Nobody et al., Nowhere 2000, eq. 1."""

    symmetric = nonnegative = zero_on_identical = translation = rotation = True
    scale = 2.0

    power: float = Field(1.0, gt=0)
    """Factor on the value."""

    def __call__(self, source, target):
        return self.power * (source.mean(0) - target.mean(0)).square().sum()
'''
RECIPE = """
plugins: [./my_loss.py]
align: [{name: mean_distance, power: 0.5, schedule: ramp}]
phases:
  - streams: {source: labelled, target: unlabelled}
"""
FAULTS = {
    "a scale that it does not have": ("scale = 2.0", "scale = 1.0", "scale"),
    "a symmetry that it does not have": ("(source.mean(0) -", "(2 * source.mean(0) -", "symmetric"),
    "a step that waits for the host": ("self.power *", "float(source.sum() * 0 + 1) *", "host"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds the loss and a recipe that uses it."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "my_loss.py").write_text(LOSS, encoding="utf-8")
    (mine / "my_recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return mine


def loaded(path: Path) -> Alignment:
    """The loss of a file, at its defaults."""
    load_file(path)
    return plugin.plugins(Alignment)["mean_distance"]()


def test_the_file_is_short():
    assert len(LOSS.strip().splitlines()) <= 16


def test_it_is_listed_and_shown(folder: Path):
    lines = ask("list", "alignment", "--plugin", folder / "my_loss.py").stdout.splitlines()
    assert any(line.startswith("mean_distance") and "Squared distance of the means" in line for line in lines)
    page = ask("show", "mean_distance", "--plugin", folder / "my_loss.py").stdout
    assert "Nobody et al., Nowhere 2000, eq. 1." in page
    assert ["power", "=", "1.0", "float", ">", "0", "Factor", "on", "the", "value."] in map(
        str.split, page.splitlines()
    )
    assert "align.0.power = 0.5" in ask("show", folder / "my_recipe.yaml").stdout


@pytest.mark.parametrize("by_recipe", [True, False])
def test_it_trains(by_recipe: bool, folder: Path, tmp_path: Path):
    own = [folder / "my_recipe.yaml"] if by_recipe else ["dann", "align=[mean_distance]"]
    file = [] if by_recipe else ["--plugin", folder / "my_loss.py"]
    result = ask("train", *own, "align.0.weight=0.25", "phases.0.steps=5", *file, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    [outcome] = Store(tmp_path / "train").outcomes()
    found = outcome.identity.config["method"]["align"][0]
    assert (found["name"], found["power"], found["weight"]) == ("mean_distance", 0.5 if by_recipe else 1.0, 0.25)
    assert "align.0.mean_distance" in outcome.curves


def test_it_runs_in_a_suite_with_workers(folder: Path, tmp_path: Path):
    entries = f"[{{name: mine, recipe: {folder / 'my_recipe.yaml'}}}]"
    text = f"splits: [{SPLIT}]\nrecipes: {entries}\nseeds: 2\nset: {{phases.*.steps: 5}}\n"
    (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
    result = ask("bench", tmp_path / "tiny.yaml", "--out", tmp_path, "--workers", 2)
    assert result.exit_code == 0, result.stderr
    rows = csv_rows(tmp_path / "tiny" / "runs.csv")
    assert {(row["recipe"], row["seed"], row["status"]) for row in rows} == {("mine", "0", "ok"), ("mine", "1", "ok")}
    assert "mine" in {row["recipe"] for row in csv_rows(tmp_path / "tiny" / "leaderboard.csv")}


def test_the_laws_are_held_against_it_like_against_the_shipped_ones(folder: Path):
    loss = loaded(folder / "my_loss.py")
    assert type(loss) in [type(one) for one in parametrize_alignments().args[1]]
    check_alignment(loss, max_examples=10)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_law_that_it_breaks_is_found(fault: str, folder: Path):
    right, wrong, law = FAULTS[fault]
    (folder / "my_loss.py").write_text(LOSS.replace(right, wrong), encoding="utf-8")
    with pytest.raises(LawViolation) as caught:
        check_alignment(loaded(folder / "my_loss.py"), max_examples=10)
    assert law in caught.value.law
