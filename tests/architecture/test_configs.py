from __future__ import annotations

from pathlib import Path

import pytest

from dareps.data._base import Dataset
from dareps.errors import ConfigError
from dareps.plugin import plugins
from dareps.recipe.bind import bind_run, dump_run, rebind, shipped
from dareps.suite.expand import expand, read_suite
from tests.recipe._drawn import lacks_classes

from ._source import ROOT

# Other tests may have added datasets of their own by now.
SHIPPED = {name: part.domains for name, part in plugins(Dataset).items() if part.__module__.startswith("dareps.")}
# A dataset of one domain has tasks to share among, but no other domain to adapt to.
SPLITS = {name: f"{name}/{domains[0]}:{domains[1]}" for name, domains in SHIPPED.items() if len(domains) > 1}


@pytest.mark.parametrize("dataset", sorted(SPLITS))
@pytest.mark.parametrize("recipe", sorted(shipped("recipes")))
def test_every_recipe_binds_on_every_dataset_or_says_that_it_needs_classes(recipe: str, dataset: str) -> None:
    if lacks_classes(recipe, SPLITS[dataset]):
        with pytest.raises(ConfigError, match=r"align\.\d: \w+ reads outputs as classes"):
            bind_run(recipe, SPLITS[dataset])
        return
    run = bind_run(recipe, SPLITS[dataset])
    assert run.recipe == recipe
    assert run.method.encoder is not None
    assert rebind(dump_run(run)) == run


def suites() -> list[tuple[str, bool]]:
    """Every shipped suite, and its paper-sized variant where it has one."""
    return [(name, full) for name in sorted(shipped("suites")) for full in (False, True)[: 1 + bool(variant(name))]]


def variant(name: str) -> object:
    """The keys that a suite replaces under `--full`."""
    return read_suite(name)[1].full


@pytest.mark.parametrize(("suite", "full"), suites())
def test_every_suite_expands_and_has_what_to_compare_with(suite: str, full: bool) -> None:
    """Adaptation has both bounds, several tasks a model for each of them or of their domains, transfer a start anew."""
    title, settings = read_suite(suite, full=full)
    runs = expand(settings)
    assert title == suite
    assert len({(run.recipe, run.data, run.split, run.tasks, run.seed) for run in runs}) == len(runs)
    if all(run.target for run in runs) and not settings.baseline:
        assert {"source_only", "target_only"} <= {run.recipe for run in runs}
    else:
        assert {name.strip() for name in settings.compared_with.split(",")} <= {run.recipe for run in runs}


@pytest.mark.parametrize("suite", ["quick", "digits", "amazon_reviews", "office_caltech10_surf"])
def test_the_promised_suites_are_there(suite: str) -> None:
    assert suite in shipped("suites")


@pytest.mark.parametrize("file", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda file: file.stem)
def test_every_file_says_what_it_is(file: Path) -> None:
    """`show` prints the comment that a recipe or suite opens with."""
    assert file.read_text(encoding="utf-8").startswith("# ")


def test_there_is_one_copy() -> None:
    link = ROOT / "dareps" / "configs"
    assert link.is_symlink()
    assert link.readlink() == Path("../configs")
