"""The estimator: scikit-learn's own checks, the three ways to give rows, and what it is made of."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from dareps.errors import ConfigError
from dareps.sklearn import DomainAdapter
from dareps.sklearn.adapter import _labelled

SHORT = {"phases.*.steps": 60, "engine.evaluations": 2}
EXCEPTIONS = {
    "check_methods_subset_invariance": "numbers of a network in single precision differ by rounding with the batch",
}
"""scikit-learn's checks that do not apply, and why."""


def sides(shift: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Three blobs, and the same moved: (x, y, target x, target y)."""
    x, y = make_blobs(300, centers=[[0, 0], [4, 0], [0, 4]], random_state=0)
    names = np.asarray(["a", "b", "c"])[y]
    return x[:150], names[:150], x[150:] + shift, names[150:]


def short(recipe: str = "dann", **settings: Any) -> DomainAdapter:
    return DomainAdapter(recipe, settings=SHORT, **settings)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_scikit_learns_own_checks(task: str) -> None:
    quick = {"phases.*.steps": 150, "engine.evaluations": 1, "engine.checkpoint_seconds": 1e6}
    estimator = DomainAdapter("source_only", task=task, settings=quick)
    results = check_estimator(
        estimator, on_fail=None, expected_failed_checks=EXCEPTIONS if task == "regression" else {}
    )
    failed = {own["check_name"]: str(own["exception"]) for own in results if own["status"] == "failed"}
    assert not failed
    assert sum(own["status"] == "passed" for own in results) > 45


def test_rows_may_be_given_apart_or_together_with_their_domains() -> None:
    x, y, target, _ = sides()
    apart = short().fit(x, y, target)
    both, domain = np.concatenate([x, target]), np.concatenate([np.ones(150), -np.ones(150)])
    labels = np.concatenate([y, np.full(150, "c")])
    together = short().fit(both, labels, domain=domain)
    assert (apart.predict_proba(target) == together.predict_proba(target)).all()


def test_target_labels_are_not_looked_at() -> None:
    x, y, target, truth = sides()
    both, domain = np.concatenate([x, target]), np.concatenate([np.zeros(150), -np.ones(150)])
    found = [
        short().fit(both, np.concatenate([y, own]), domain=domain).predict_proba(target)
        for own in (truth, np.full(150, "garbage"))
    ]
    assert (found[0] == found[1]).all()


def _fits(y: Any, own: np.ndarray) -> list[Any]:
    """Labels of the source as `fit` has them."""
    estimator = DomainAdapter()
    estimator._table = None
    domain = np.where(own, 0, -1)
    return list(_labelled(estimator, np.zeros((len(own), 2)), y, domain)[1])


@pytest.mark.parametrize("blank", [None, float("nan"), "?", 7, [1, 2]])
@pytest.mark.parametrize("known", [["b", "a"], [1, 0], [1.5, 0.5]])
def test_labels_of_target_rows_may_be_anything(known: list[Any], blank: Any) -> None:
    own = np.asarray([False, True, True, False])
    cells = [blank, *known, blank]
    array = np.empty(4, dtype=object)
    array[:] = cells
    expected = np.asarray(known)
    for y in (array, *([] if isinstance(blank, list) else [cells])):
        found = _fits(y, own)
        assert found == known
        assert np.asarray(found).dtype == expected.dtype


def test_labels_of_source_rows_may_not_be_missing() -> None:
    with pytest.raises(ValueError, match="NaN"):
        _fits(np.asarray([float("nan"), "b", "a", "a"], dtype=object), np.asarray([True, True, True, False]))


def test_numbers_of_target_rows_may_be_missing() -> None:
    own = np.asarray([True, True, False])
    assert _fits(np.asarray([1.5, 2.5, np.nan]), own) == [1.5, 2.5]
    assert _fits(pl.Series([1, 2, None]), own) == [1, 2]
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        _fits([1, 2], own)
    with pytest.raises(ValueError, match="requires y"):
        _fits(None, own)


@pytest.mark.parametrize(
    ("task", "given", "rules"),
    [
        ("regression", ["last"], ["last", "importance_weighted"]),
        ("classification", ["last"], ["last", "information_maximisation"]),
        ("classification", [{"name": "information_maximisation"}], [{"name": "information_maximisation"}]),
        ("regression", None, ["last", "source_score", "importance_weighted"]),
    ],
)
def test_a_selection_that_is_given_has_the_rule_too(task: Any, given: list[Any] | None, rules: list[Any]) -> None:
    settings = SHORT if given is None else {**SHORT, "engine.selection": given}
    overrides = dict(DomainAdapter(task=task, settings=settings)._overrides())
    assert overrides["engine.selection"] == rules
    assert overrides["engine.keep"] == DomainAdapter(task=task)._overrides()[-1][1]
    x, y, target, _ = sides()
    labels = y if task == "classification" else x[:, 0]
    quick = {**settings, "phases.*.steps": 3, "engine.evaluations": 1}
    DomainAdapter("source_only", task=task, settings=quick).fit(x, labels, target)


def test_adapting_reads_the_target() -> None:
    x, y, target, truth = sides()
    estimator = short("deep_coral").fit(x, y, target)
    assert (estimator.predict_proba(target) != short("deep_coral").fit(x, y).predict_proba(target)).any()
    assert estimator.predict_proba(target).shape == (150, 3)
    np.testing.assert_allclose(estimator.predict_proba(target).sum(axis=1), 1, atol=1e-6)
    assert estimator.score(target, truth) == (estimator.predict(target) == truth).mean()


def test_the_same_seed_gives_the_same_and_another_one_another() -> None:
    x, y, target, _ = sides()
    first, second = (short(random_state=0).fit(x, y, target).predict_proba(target) for _ in range(2))
    assert (first == second).all()
    assert (first != short(random_state=1).fit(x, y, target).predict_proba(target)).any()


def test_it_is_copied_pickled_and_cross_validated() -> None:
    x, y, target, _ = sides()
    estimator = short().fit(x, y, target)
    again = pickle.loads(pickle.dumps(estimator))
    assert (again.predict_proba(target) == estimator.predict_proba(target)).all()
    assert not hasattr(clone(estimator), "model_")
    pipeline = make_pipeline(StandardScaler(), short("source_only"))
    assert cross_val_score(pipeline, x, y, cv=2).mean() > 0.9


def test_gaps_frames_series_and_numbers() -> None:
    x, y, target, _ = sides()
    x[::7, 0] = np.nan
    frame = pl.DataFrame({"one": x[:, 0], "two": x[:, 1]}).to_numpy()
    assert short().fit(frame, y, target).predict(target).shape == (150,)
    series = np.random.default_rng(0).normal(size=(40, 2, 16))
    assert short("source_only").fit(series, np.arange(40) % 2, series + 1).predict(series).shape == (40,)
    numbers = DomainAdapter("source_only", task="regression", settings={"phases.*.steps": 300})
    truth = 3 * x[:, 1] + 1
    assert numbers.fit(x, truth, target).score(x, truth) > 0.9


@pytest.mark.parametrize(
    ("estimator", "given", "error", "message"),
    [
        (short("dannn"), {}, ConfigError, "Did you mean 'dann'"),
        (DomainAdapter(settings={"phases.0.step": 3}), {}, ConfigError, "Did you mean 'steps'"),
        (DomainAdapter(settings="phases.0.steps=3"), {}, ConfigError, "settings: expected a mapping"),
        (short(), {"domain": np.ones(150)}, ValueError, "rows of both sides"),
        (short(), {"domain": np.ones(3)}, ValueError, "domain must be 150 numbers"),
        (short(), {"X_target": np.ones((4, 5))}, ValueError, "features"),
    ],
)
def test_mistakes(estimator: DomainAdapter, given: dict[str, Any], error: type[Exception], message: str) -> None:
    x, y, _, _ = sides()
    with pytest.raises(error, match=message):
        estimator.fit(x, y, **given)
