from __future__ import annotations

from pathlib import Path

import pytest

from dareps.errors import ConfigError
from dareps.recipe.bind import shipped
from dareps.suite.expand import Suite, expand, read_suite

HEAD = "# A suite.\nsplits: [digits8/fonts:scans]\n"


def suite(folder: Path, text: str) -> Suite:
    path = folder / "mine.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return read_suite(str(path))[1]


def test_all_means_every_shipped_recipe(tmp_path: Path) -> None:
    found = suite(tmp_path, "recipes: [all]\n")
    assert [entry.name for entry in found.entries] == list(shipped("recipes"))
    assert {run.recipe for run in expand(found)} == set(shipped("recipes"))


def test_all_leaves_out_what_does_not_fit_and_lets_others_join(tmp_path: Path) -> None:
    more = "{name: dan_slow, recipe: dan, set: {phases.0.steps: 9}}"
    found = suite(tmp_path, f"recipes: [{more}, all]\nwithout: [linear_svm, cmd]\n")
    assert {entry.name for entry in found.entries} == {*shipped("recipes"), "dan_slow"} - {"linear_svm", "cmd"}


def test_a_recipe_listed_beside_all_runs_as_listed_and_once(tmp_path: Path) -> None:
    found = suite(tmp_path, "recipes: [all, {name: dann, set: {phases.0.steps: 7}}]\nseeds: 1\n")
    (run,) = [run for run in expand(found) if run.recipe == "dann"]
    assert run.method.phases[0].model_dump()["steps"] == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipes: [all]\nwithout: [linear_swm]\n", "no recipe linear_swm to leave out. Did you mean 'linear_svm'"),
        ("recipes: [dann]\nwithout: [linear_svm]\n", "List `all` among the recipes"),
        ("recipes: [al]\n", "no shipped one has this name"),
    ],
)
def test_what_cannot_be_left_out_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        expand(suite(tmp_path, text))


@pytest.mark.parametrize("name", ["amazon_all", "mnist_usps_all"])
def test_the_suites_of_all_recipes_have_all(name: str) -> None:
    _, found = read_suite(name)
    assert {entry.name for entry in found.entries} >= set(shipped("recipes")) - set(found.without)
    assert {"source_only", "target_only"}.isdisjoint(found.without)
