"""Relations of real splits, and that no target label is looked at that is not declared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dareps import plugin
from dareps.data._base import Part, Sealed, SplitData
from dareps.engine.building import split_of
from dareps.recipe.bind import bind_run
from dareps.recipe.settings import Run
from dareps.suite.relate import relate


def bound(split: str) -> tuple[Run, SplitData]:
    """A run on a split, and its rows."""
    run = bind_run("source_only", split)
    return run, split_of(run)


def unsealed(data: SplitData, task: str, labels: np.ndarray) -> SplitData:
    """The split with other labels of the first target domain's train rows."""
    return replace(data, sealed=Sealed({"train": {data.target_train[0].domain: {task: labels}}}))


def test_fonts_and_scans_are_two_domains_with_one_task():
    found = relate(*bound("digits8/fonts:scans"))
    assert (found.domain, found.tasks("same"), found.finer) == ("different", ("digit",), ())
    assert found.sides == ("fonts", "scans")
    assert found.distance is not None
    assert found.distance.proxy > 1.5
    assert found.labels[0].target is None


def test_two_halves_of_a_domain_are_one():
    run, data = bound("digits8/fonts:scans")
    [part] = data.source_train
    half = np.arange(0, len(part.x), 2)
    rest = Part("scans", "target", np.delete(part.x, half, axis=0))
    found = relate(run, replace(data, source_train=(part.taken(half),), target_train=(rest,)))
    assert found.domain == "same"


def test_kinds_differ_and_colours_do_not_once_labels_are_declared():
    found = relate(*bound("attributes/fruit:solids@5"))
    assert (found.tasks("same"), found.tasks("different")) == (("colour",), ("kind",))
    assert [own.target for own in found.labels] == [frozenset({3, 4, 5}), frozenset(range(5))]


def test_one_domain_is_the_same_as_itself():
    found = relate(*bound("attributes/fruit"))
    assert (found.distance, found.domain, found.sides) == (None, "same", ("fruit",))
    assert found.tasks("same") == ("kind", "colour")


def test_collections_of_one_distribution_are_one_domain_and_varieties_divide_fruit():
    found = relate(*bound("varieties/stall+stall2"))
    assert (found.domain, found.sides) == ("same", ("stall", "stall2"))
    assert found.finer == (("fruit", "variety"),)


def test_numbers_have_no_classes_to_compare(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(plugin._registry, "data", dict(plugin._registry["data"]))
    run, data = bound("digits8/fonts:scans")
    amount = [replace(task, kind="regression", classes=()) for task in data.tasks]
    type_of = type("Amounts", (type(run.data),), {"tasks": tuple(amount)})
    found = relate(run.model_copy(update={"data": type_of()}), data)
    assert found.tasks("same") == ("digit",)
    assert found.labels[0].declared == 0


@pytest.mark.parametrize("split", ["digits8/fonts:scans", "digits8/fonts:scans@3"])
def test_labels_that_are_not_declared_change_nothing(split):
    run, data = bound(split)
    kept = data.chosen[0] if data.chosen is not None else np.array([], dtype=int)
    labels = data.sealed.open_for_scorer("train", "scans")["digit"].copy()
    hidden = np.setdiff1d(np.arange(len(labels)), kept)
    labels[hidden] = 0
    assert relate(run, unsealed(data, "digit", labels)) == relate(run, data)


def test_labels_that_are_declared_count():
    run, data = bound("digits8/fonts:scans@3")
    labels = np.zeros(len(data.target_train[0].x), dtype=np.int64)
    assert relate(run, unsealed(data, "digit", labels)).labels[0].share == pytest.approx(0.1)
