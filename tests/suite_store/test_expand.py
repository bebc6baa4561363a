from __future__ import annotations

from pathlib import Path

import pytest

from dareps.errors import ConfigError
from dareps.recipe.bind import shipped
from dareps.recipe.settings import Run
from dareps.suite.expand import expand, read_suite
from dareps.suite.parts import adapting
from dareps.suite.settings import Suite

HEAD = "# A suite.\nsplits: [digits8/fonts:scans]\n"


def suite(folder: Path, text: str) -> Suite:
    path = folder / "mine.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return read_suite(str(path))[1]


def test_all_means_every_shipped_recipe_that_adapts_and_the_bounds(tmp_path: Path) -> None:
    found = suite(tmp_path, "recipes: [all]\n")
    assert [entry.name for entry in found.entries] == adapting()
    assert {run.recipe for run in expand(found)} == set(adapting())
    left = set(shipped("recipes")) - set(adapting())
    assert {"fine_tuning", "multi_task_learning"} <= left
    assert not {"source_only", "target_only", "linear_svm", "shot"} & left


def test_all_leaves_out_what_does_not_fit_and_lets_others_join(tmp_path: Path) -> None:
    more = "{name: dan_slow, recipe: dan, set: {phases.0.steps: 9}}"
    found = suite(tmp_path, f"recipes: [{more}, all]\nwithout: [linear_svm, cmd]\n")
    assert {entry.name for entry in found.entries} == {*adapting(), "dan_slow"} - {"linear_svm", "cmd"}


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
        ("recipes: [dann, {name: dann, set: {phases.0.steps: 7}}]\n", "2 entries are called 'dann'. Give each a name"),
        ("recipes: [dann, a/mine.yaml, b/mine.yaml]\n", "2 entries are called 'mine'"),
        (f"recipes: [all]\nwithout: [{', '.join(adapting())}]\n", "without: nothing of `all` is left"),
        ("recipes: [{name: a/b, recipe: dan}]\n", "Write .name: b, recipe: dan"),
        ("recipes: [{name: x, recipie: dan}]\n", r"mine\.recipes\.0\.recipie: unknown key.*Did you mean 'recipe'"),
        ("recipes: [{name: ../../mine}]\n", "'../../mine', which is a path. Write .name: mine, recipe: ../../mine"),
    ],
)
def test_what_cannot_be_left_out_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        expand(suite(tmp_path, text))


@pytest.mark.parametrize("name", ["amazon_all", "mnist_usps_all"])
def test_the_suites_of_all_recipes_have_all(name: str) -> None:
    _, found = read_suite(name)
    assert {entry.name for entry in found.entries} >= set(adapting()) - set(found.without)
    assert {"source_only", "target_only"}.isdisjoint(found.without)


def weights(runs: list[Run]) -> dict[str, list[float]]:
    return {run.recipe: [own.weight for own in run.method.align] for run in runs}


def test_a_change_reaches_the_alignments_that_an_entry_has_after_its_own_changes(tmp_path: Path) -> None:
    entries = (
        "{name: x, recipe: source_only, set: {phases.0.streams.target: unlabelled, align: [mmd]}}",
        "{name: dan0, recipe: dan, set: {align: []}}",
    )
    found = suite(tmp_path, f"recipes: [dan, {', '.join(entries)}]\nseeds: 1\n")
    assert weights(expand(found, overrides=[("align.0.weight", 0.3)])) == {"dan": [0.3], "x": [0.3], "dan0": []}
    both = [("align", ["mmd", "coral"]), ("align.1.weight", 0.3)]
    assert weights(expand(found, overrides=both)) == {name: [1.0, 0.3] for name in ("dan", "x", "dan0")}
    with pytest.raises(ConfigError, match="no such item of the list"):
        expand(found, overrides=[("align.7.weight", 0.3)])
    common = suite(tmp_path, f"recipes: [dan, {', '.join(entries)}]\nseeds: 1\nset: {{align.0.weight: 0.3}}\n")
    assert weights(expand(common)) == {"dan": [0.3], "x": [1.0], "dan0": []}


def test_a_recipe_of_a_file_goes_by_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "phases: [{streams: {source: labelled, target: unlabelled}}]\nalign: [mmd]\n", encoding="utf-8"
    )
    found = suite(tmp_path, f"recipes: [{tmp_path}/own.yaml, dan]\nseeds: 1\n")
    assert [run.recipe for run in expand(found)] == ["own", "dan"]
    for names in (["own"], [f"{tmp_path}/own.yaml"], ["own", "own"]):
        assert [run.recipe for run in expand(found, recipes=names)] == ["own"]
    with pytest.raises(ConfigError, match="--recipes: 2 of these are called the same, got 'dan'"):
        expand(found, recipes=["dan", f"{tmp_path}/dan.yaml"])
