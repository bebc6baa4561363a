"""Suites that train apart, and what joins their runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.data._school import explained_variance
from dareps.data.split import make_split, parse_split
from dareps.engine.execute import Surroundings, execute
from dareps.engine.outcome import Identity, Outcome, Selected, UnitScore
from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run, run_key
from dareps.recipe.settings import Run
from dareps.suite.apart import Comparison, comparison_of, joined, standing
from dareps.suite.expand import expand
from dareps.suite.exports import domains_rows
from dareps.suite.settings import Suite
from dareps.suite.store import Store
from dareps.suite.units import over_tasks, units_of, with_summaries
from dareps.tasks import KINDS
from dareps.types import Task
from tests.alignment._samples import PROPERTY
from tests.engine._make import CPU
from tests.engine._tasks import AGE, KIND, dataset, register

SHORT = {"phases.0.steps": 12, "encoder": {"name": "mlp", "width": 8}, "engine.evaluations": 2, "data.limit": 40}
SINGLE, JOINT = {"name": "single", "recipe": "source_only"}, {"name": "joint", "recipe": "source_only"}


def suite(split: str, apart: str, **more: object) -> Suite:
    recipes = [{**SINGLE, "apart": apart}, JOINT]
    return Suite.model_validate({"splits": [split], "recipes": recipes, "seeds": 2, "set": SHORT, **more})


def carried_out(runs: Iterable[Run], folder: Path) -> list[Outcome]:
    return [own for run in runs for own in execute([run], Surroundings(folder, CPU, save=frozenset()))]


def numbers(outcome: Outcome) -> object:
    return outcome.selected, outcome.others, outcome.units, outcome.curves


def test_a_plus_names_all_domains_but_the_targets() -> None:
    assert parse_split("digits8/+") == parse_split("digits8/fonts+scans")
    assert parse_split("digits8/+:scans") == parse_split("digits8/fonts:scans")
    with pytest.raises(ConfigError, match="not a split"):
        parse_split("digits8/+:")


def test_apart_by_tasks_is_training_on_each_task_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, type(dataset({"a": {"kind": 0.5}}, (KIND, AGE))))
    own = suite("tasks_toy/a", "tasks")
    single = [run for run in expand(own, seeds=1) if run.recipe == "single"]
    assert [run.method.tasks for run in single] == [("kind",), ("age",)]
    by_hand = [
        bind_run("source_only", "tasks_toy/a", 0, [*SHORT.items(), ("tasks", [task])], label="single")
        for task in ("kind", "age")
    ]
    assert [run_key(run, "x") for run in single] == [run_key(run, "x") for run in by_hand]
    first, again = carried_out(single, tmp_path), carried_out(by_hand, tmp_path)
    assert all(outcome.status == "ok" for outcome in first)
    assert [numbers(outcome) for outcome in first] == [numbers(outcome) for outcome in again]


def test_apart_by_domains_is_training_on_each_domain(tmp_path: Path) -> None:
    runs = expand(suite("digits8/+", "domains"), seeds=1)
    assert [(run.recipe, run.split) for run in runs] == [
        ("single", "fonts"),
        ("single", "scans"),
        ("joint", "fonts+scans"),
    ]
    again = bind_run("source_only", "digits8/scans", 0, list(SHORT.items()), label="single")
    assert runs[1] == again


def test_tasks_apart_are_those_that_the_suite_names() -> None:
    runs = expand(suite("attributes/fruit", "tasks", set={**SHORT, "tasks": ["colour"]}), seeds=1)
    assert [run.method.tasks for run in runs if run.recipe == "single"] == [("colour",)]


@pytest.mark.parametrize(
    ("split", "apart", "message"),
    [
        ("digits8/fonts:scans", "domains", "domains are apart only without a target"),
        ("digits8/fonts", "rows", "'tasks' or 'domains'"),
    ],
)
def test_what_cannot_be_apart_is_refused(split: str, apart: str, message: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=message):
        expand(suite(split, apart))


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(ValueError, match="no entry is called 'singel'"):
        suite("digits8/+", "domains", baseline="singel")


def test_the_baseline_is_the_entry_that_is_apart_unless_one_is_named() -> None:
    assert suite("digits8/+", "domains").compared_with == "single"
    assert suite("digits8/+", "domains", baseline="joint").compared_with == "joint"
    plain = Suite.model_validate({"splits": ["digits8/+"], "recipes": [JOINT]})
    assert plain.compared_with == ""


def test_rows_without_a_label_of_the_only_task_fill_no_batch() -> None:
    data = make_split(dataset({"a": {"kind": 0.5}, "b": {"kind": 1.0}}), ("a", "b"), (), 0, "supervised")
    only = data.restricted((KIND,))
    first, second = only.source_train
    kept = data.source_train[0].y["kind"] >= 0
    assert 0 < len(first.x) == kept.sum() < len(kept)
    assert (first.y["kind"] >= 0).all()
    assert np.array_equal(first.x, data.source_train[0].x[kept])
    assert np.array_equal(first.y["age"], data.source_train[0].y["age"][kept], equal_nan=True)
    assert (only.source_validation[0].y["kind"] >= 0).all()
    assert len(second.x) == len(data.source_train[1].x)  # None has a label: they are left for alignments to read.
    assert data.restricted((AGE,)).source_train[0].x is data.source_train[0].x
    assert data.restricted(data.tasks).source_train == data.source_train


# Figures that add up.


def regression(truth: np.ndarray, said: np.ndarray, domain: str = "a", rule: str = "last") -> UnitScore:
    found = KINDS["regression"].scores(truth[:, None], said[:, None])
    return UnitScore("score", domain, rule, 9, len(truth), found.primary, found.metrics, found.confusion, found.sums)


values = arrays(np.float64, st.integers(6, 30), elements=st.integers(-70, 70))


@PROPERTY
@given(truth=values, cuts=st.tuples(st.integers(1, 2), st.integers(3, 5)), data=st.data())
def test_pooled_figures_are_those_of_all_rows(truth: np.ndarray, cuts: tuple[int, int], data: st.DataObject) -> None:
    said = data.draw(arrays(np.float64, len(truth), elements=st.integers(-70, 70)))
    parts = [KINDS["regression"].scores(y[:, None], p[:, None]) for y, p in zip(*_cut(truth, said, cuts), strict=True)]
    together, whole = KINDS["regression"].pooled(parts), KINDS["regression"].scores(truth[:, None], said[:, None])
    assert together is not None
    assert together.metrics == pytest.approx(whole.metrics, abs=1e-9, nan_ok=True)
    assert together.primary == pytest.approx(whole.primary, abs=1e-9)
    if truth.var():
        assert 100 * together.primary == pytest.approx(explained_variance(truth, said), abs=1e-6, rel=1e-9)
    classes, outputs = np.abs(truth).astype(int) % 3, np.eye(3)[np.abs(said).astype(int) % 3]
    kind = KINDS["classification"]
    pieces = [kind.scores(y, p) for y, p in zip(*_cut(classes, outputs, cuts), strict=True)]
    together, whole = kind.pooled(pieces), kind.scores(classes, outputs)
    assert together is not None
    assert (together.primary, together.confusion) == (whole.primary, whole.confusion)
    assert together.metrics == pytest.approx(whole.metrics, abs=1e-12)


def _cut(truth: np.ndarray, said: np.ndarray, cuts: tuple[int, int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return np.split(truth, cuts), np.split(said, cuts)


def test_pooled_figures_leave_out_sets_without_labels() -> None:
    kind = KINDS["regression"]
    empty, some = kind.scores(np.full((2, 1), np.nan), np.zeros((2, 1))), kind.scores(np.eye(3)[:1].T, np.ones((3, 1)))
    assert kind.pooled([empty, some, empty]) == some
    gone = kind.pooled([empty, empty])
    assert gone is not None
    assert math.isnan(gone.primary)
    assert KINDS["multilabel"].pooled([]) is None


def test_each_domain_has_its_own_figures_and_their_average(tmp_path: Path) -> None:
    (outcome,) = carried_out([expand(suite("digits8/+", "domains"), seeds=1)[-1]], tmp_path)
    rule = [unit for unit in units_of(outcome) if unit.selection == "source_score"]
    chosen = next(row for row in outcome.selected if row.selection == "source_score")
    assert [unit.domain for unit in rule] == ["fonts", "scans"]
    assert np.array_equal(np.sum([unit.confusion for unit in rule], axis=0), chosen.confusion)
    average, together = list(with_summaries(rule))[2:]
    assert average.value == pytest.approx(np.mean([np.trace(u.confusion) / np.sum(u.confusion) for u in rule]))
    assert together.value == chosen.target_metric
    assert together.metrics == pytest.approx(chosen.metrics, abs=1e-12)
    rows = [row for row in domains_rows([outcome]) if row[6] == "source_score" and row[9] == "accuracy"]
    assert [row[4] for row in rows] == ["fonts", "scans", "average", "pooled"]
    assert [row[8] for row in rows] == [rule[0].rows, rule[1].rows, *[rule[0].rows + rule[1].rows] * 2]


# Joining.


def part(domain: str, truth: Sequence[float], said: Sequence[float], seed: int = 0, **changes: object) -> Outcome:
    unit = regression(np.array(truth), np.array(said), domain)
    row = Selected("last", 9, 0.5, 0.4, unit.value, unit.metrics, [])
    key = f"single-{domain}-{seed}"
    config = {"seed": seed, "source": [domain]}
    who = Identity(key, "single", "toy", domain, "", "score", "supervised", seed, config)
    return replace(Outcome(who, "ok", seconds=1.0, selected=(row,), units=(unit,)), **changes)


WHOLE = Comparison("single", (("single", "toy", "a+b"),))


def test_domains_apart_become_one_outcome_on_all_rows() -> None:
    truth, said = np.array([1.0, 2, 4, 8, 9]), np.array([2.0, 2, 3, 7, 9])
    parts = [part("a", truth[:2], said[:2]), part("b", truth[2:], said[2:])]
    (own,) = joined(parts, WHOLE)
    assert (own.identity.split, own.identity.recipe, own.seconds) == ("a+b", "single", 2.0)
    assert own.selected[0].target_metric == pytest.approx(explained_variance(truth, said) / 100)
    assert math.isnan(own.selected[0].source_metric)  # The mean of R^2 is not R^2.
    assert [unit.domain for unit in own.units] == ["a", "b"]
    assert own.identity.config["source"] == ["a", "b"]
    assert joined(parts, Comparison()) == parts


def test_a_failed_part_fails_the_whole_and_says_which() -> None:
    parts = [part("a", [1, 2], [1, 3]), part("b", [1, 2], [1, 3], status="failed", error="step 3: nan", selected=())]
    (own,) = joined(parts, WHOLE)
    assert (own.status, own.error, own.selected) == ("failed", "b: step 3: nan", ())


def test_nothing_stands_for_parts_that_are_not_all_there() -> None:
    assert joined([part("a", [1, 2], [1, 3]), part("b", [1, 2], [1, 3], seed=1)], WHOLE) == []


def test_a_domain_that_is_a_split_of_its_own_stays() -> None:
    parts = [part("a", [1, 2], [1, 3]), part("b", [1, 2], [1, 3])]
    both = Comparison("single", (("single", "toy", "a+b"), ("single", "toy", "a")))
    assert [own.identity.source for own in joined(parts, both)] == ["a", "a+b"]


def test_the_store_keeps_units_and_what_is_compared_and_joins_no_stale_part(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert standing(store) == []
    old = [part("a", [1, 2], [1, 3]), part("b", [1, 2], [1, 3])]
    for own in old:
        store.save(own)
    assert standing(store) == old  # Nothing is joined that no suite says is apart.
    WHOLE.keep(store)
    assert Comparison.of(store) == WHOLE
    assert [own.units for own in store.outcomes()] == [own.units for own in old]
    assert [own.identity.source for own in standing(store)] == ["a+b"]
    new = part("a", [1, 2], [1, 2])
    config = {**new.identity.config, "steps": 9}
    new = replace(new, identity=replace(new.identity, key="new", config=config))
    store.mark_expected(["new", "still to be run"])
    store.save(new)
    assert store.outcomes() == [new]
    assert standing(store) == []


def test_a_suite_says_which_splits_its_parts_stand_for() -> None:
    found = comparison_of("s", {"s": "domains", "t": "tasks", "joint": None}, ["digits8/+", "digits8/+:scans"])
    assert found == Comparison("s", (("s", "digits8", "fonts+scans"),))


def test_older_results_have_figures_of_their_only_domain() -> None:
    own = replace(part("a", [1, 2], [1, 3]), units=())
    (unit,) = units_of(own)
    assert (unit.domain, unit.value, unit.sums) == ("a", own.selected[0].target_metric, [])
    assert units_of(replace(own, identity=replace(own.identity, source="a+b"))) == []


def test_only_known_kinds_are_pooled() -> None:
    task = Task("tags", "multilabel", 2)
    found = KINDS[task.kind].scores(np.eye(2), np.eye(2) - 0.5)
    units = [UnitScore("tags", domain, "last", 1, 2, found.primary, found.metrics) for domain in "ab"]
    assert [unit.domain for unit in with_summaries(units)] == ["a", "b", "average"]


def test_several_numbers_have_the_explained_variance_of_all_their_rows() -> None:
    """Every school a task of its own: the pooled figure is that of the literature, whoever predicted each."""
    draws = np.random.Generator(np.random.Philox(key=5))
    labels = [draws.normal(size=(n, 1)) + shift for n, shift in ((5, 0.0), (9, 4.0), (3, -2.0))]
    guesses = [own + draws.normal(size=own.shape) for own in labels]
    units = [
        UnitScore(f"s{number}", "ilea", "last", 1, len(y), found.primary, found.metrics, sums=found.sums)
        for number, (y, guess) in enumerate(zip(labels, guesses, strict=True))
        for found in [KINDS["regression"].scores(y, guess)]
    ]
    average, together = over_tasks(units)
    y, error = np.concatenate(labels), np.concatenate(labels) - np.concatenate(guesses)
    assert together.value == pytest.approx(1 - np.square(error).sum() / np.square(y - y.mean()).sum(), abs=1e-12)
    assert average.value == pytest.approx(np.mean([unit.value for unit in units]), abs=1e-12)
    assert {unit.task for unit in (average, together)} == {"all tasks"}
    assert list(over_tasks(units[:1])) == []


def test_classes_of_different_tasks_are_not_put_together() -> None:
    found = [KINDS["classification"].scores(np.array([0, 1]), np.eye(2, size)) for size in (2, 3)]
    units = [
        UnitScore(f"t{number}", "a", "last", 1, 2, own.primary, own.metrics, own.confusion)
        for number, own in enumerate(found)
    ]
    assert list(over_tasks(units)) == []
