from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dareps.engine.outcome import Outcome, Selected
from dareps.errors import StoreError
from dareps.suite.store import Store

from ._make import identity, outcome

figures = st.floats(allow_nan=False)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
curves = st.dictionaries(texts, st.lists(st.tuples(st.integers(0, 10**6), figures), max_size=4), max_size=3)
points = st.lists(st.lists(figures, min_size=2, max_size=2), max_size=3)
rules = st.builds(
    Selected,
    selection=texts,
    step=st.integers(0, 2**40),
    score=figures,
    source_metric=figures,
    target_metric=figures,
    metrics=st.dictionaries(texts, figures, max_size=2),
    confusion=st.lists(st.lists(st.integers(0, 99), max_size=3), max_size=3),
)
outcomes = st.builds(
    Outcome,
    identity=st.builds(identity, key=texts, seed=st.integers(0, 2**40), task=texts, protocol=texts),
    status=st.sampled_from(["ok", "failed"]),
    target_labels=st.integers(0, 10**6),
    seconds=figures,
    error=texts,
    warnings=st.lists(texts, max_size=2).map(tuple),
    selected=st.lists(rules, max_size=3, unique_by=lambda row: row.selection).map(tuple),
    curves=curves,
    scatter=st.none() | st.fixed_dictionaries({"before": st.fixed_dictionaries({"x": points})}),
    folder=texts,
)


@settings(max_examples=40, deadline=None)
@given(outcomes)
def test_what_is_saved_reads_back_equal(tmp_path_factory: pytest.TempPathFactory, saved: Outcome) -> None:
    folder = tmp_path_factory.mktemp("store")
    Store(folder).save(saved)
    assert Store(folder).outcomes() == [saved]
    assert Store(folder).finished() == ({saved.identity.key} if saved.status == "ok" else set())


def test_nan_and_arrays_survive(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cloud = {"before": {"x": np.eye(2), "domain": ["a", "b"], "label": np.arange(2)}}
    lost = outcome(values={"last": 0.5}, scores={"last": math.nan}, curves={"loss": [(1, math.nan)]}, scatter=cloud)
    store.save(lost)
    read = store.outcomes()[0]
    assert math.isnan(read.selected[0].score)
    assert math.isnan(read.curves["loss"][0][1])
    assert read.scatter == {"before": {"x": [[1.0, 0.0], [0.0, 1.0]], "domain": ["a", "b"], "label": [0, 1]}}


def test_numpy_numbers_are_stored_as_numbers(tmp_path: Path) -> None:
    row = Selected("last", np.int64(7), np.float32(0.5), np.float64(0.25), np.float64(0.75), {}, [[np.int64(1)]])  # type: ignore[arg-type,list-item]
    Store(tmp_path).save(Outcome(identity(seed=np.int64(3)), "ok", np.int64(4), np.float64(2), selected=(row,)))  # type: ignore[arg-type]
    read = Store(tmp_path).outcomes()[0]
    assert (read.identity.seed, read.target_labels, read.seconds) == (3, 4, 2.0)
    assert read.selected == (Selected("last", 7, 0.5, 0.25, 0.75, {}, [[1]]),)


def test_light_reading_leaves_out_the_heavy_parts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(values={"last": 0.5}, curves={"loss": [(1, 2.0)]}, scatter={"before": {}}))
    light = store.outcomes(details=False)[0]
    assert (light.curves, light.scatter, light.identity.config) == ({}, None, {})
    assert light.selected == store.outcomes()[0].selected


def test_saving_twice_keeps_the_first_and_a_failed_run_is_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(status="failed", key="k"))
    assert store.finished() == set()
    store.save(outcome(key="k", values={"last": 0.5, "entropy": 0.6}))
    store.save(outcome(key="k", values={"last": 0.1}))
    store.save(outcome(status="failed", key="k"))
    assert store.finished() == {"k"}
    assert [(row.selection, row.target_metric) for row in store.outcomes()[0].selected] == [
        ("last", 0.5),
        ("entropy", 0.6),
    ]


def test_a_failed_save_leaves_nothing_of_the_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(key="first", values={"last": 0.5}))
    twice = outcome(key="second", seed=1, values={"last": 0.5})
    doubled = Outcome(twice.identity, "ok", selected=(twice.selected[0], twice.selected[0]))
    with pytest.raises(StoreError):
        store.save(doubled)
    assert store.finished() == {"first"}


def test_expected_keys_make_older_rows_stale_but_not_later_ones(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key, seed in (("old", 0), ("kept", 1)):
        store.save(outcome(key=key, seed=seed, values={"last": 0.5}))
    store.mark_expected(["kept", "planned"])
    assert store.missing() == {"planned"}
    store.save(outcome(key="later", recipe="cmd", values={"last": 0.5}))
    store.save(outcome(key="planned", seed=2, values={"last": 0.5}))
    assert store.missing() == set()
    assert {own.identity.key for own in store.outcomes()} == {"kept", "later", "planned"}
    assert [own.identity.key for own in store.outcomes(stale=True)] == ["old"]
    store.mark_expected(["old", "kept"])
    assert {own.identity.key for own in store.outcomes()} == {"old", "kept"}
    assert store.finished() == {"old", "kept", "later", "planned"}


def test_another_configuration_of_a_recipe_makes_the_earlier_one_stale(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in (0, 1):
        store.save(outcome(key=f"old{seed}", seed=seed, values={"last": 0.5}, config={"weight": 1}))
    store.save(outcome(key="other", recipe="cmd", values={"last": 0.5}, config={"weight": 1}))
    assert len(store.outcomes()) == 3
    store.save(outcome(key="new", seed=0, values={"last": 0.5}, config={"weight": 2}))
    assert {own.identity.key for own in store.outcomes()} == {"new", "other"}
    assert {own.identity.key for own in store.outcomes(stale=True)} == {"old0", "old1"}


def test_the_suites_own_configuration_wins_over_a_later_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(key="suite", values={"last": 0.5}, config={"weight": 1}))
    store.mark_expected(["suite"])
    store.save(outcome(key="trial", values={"last": 0.9}, config={"weight": 2}))
    assert [own.identity.key for own in store.outcomes()] == ["suite"]


@pytest.mark.parametrize("part", [{"engine": {"capture": "on"}}, {"method": {"plugins": ["x.py"]}}])
def test_settings_that_leave_results_alone_make_nothing_stale(tmp_path: Path, part: dict[str, object]) -> None:
    store = Store(tmp_path)
    store.save(outcome(key="one", seed=0, values={"last": 0.5}, config={name: {} for name in part}))
    store.save(outcome(key="two", seed=1, values={"last": 0.5}, config=part))
    assert len(store.outcomes()) == 2
