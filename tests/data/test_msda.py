from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dareps.data._base import DomainRows
from dareps.data._split import keyed_order
from dareps.data.represent import _msda
from dareps.data.represent._msda import denoiser
from dareps.data.represent.msda import MSDA
from dareps.data.split import make_split
from dareps.engine.evaluate import Evaluator
from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run

from ._drawn import Counts

VALUES = st.integers(0, 8).map(lambda value: value / 2)
ROWS = hnp.arrays(np.float64, st.tuples(st.integers(1, 7), st.integers(1, 4)), elements=VALUES)
CORRUPTION = st.sampled_from([0.1, 0.5, 0.8])
TINY = 1e-9


def counts(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=seed)).poisson(0.6, (n, d)).astype(np.float32)


def expected_loss(weight: np.ndarray, x: np.ndarray, p: float, ridge: float) -> float:
    """The objective by its definition: every way to lose features, with its probability, and the penalty."""
    n, d = x.shape
    total = 0.0
    for lost in itertools.product([False, True], repeat=d):
        chance = np.prod([p if gone else 1 - p for gone in lost])
        seen = np.column_stack([np.where(lost, 0, x), np.ones(n)])
        total += float(chance) * float(np.square(x - seen @ weight.T).sum())
    power = float(np.square(x).sum(axis=0).mean()) or 1.0
    return total + ridge * (1 - p) * power * float(np.square(weight[:, :-1]).sum())


@given(x=ROWS, p=CORRUPTION, data=st.data())
def test_the_weights_minimise_the_loss_over_all_corruptions(x: np.ndarray, p: float, data: st.DataObject) -> None:
    ridge = 0.01
    weight = denoiser(x, x, p, ridge)
    least = expected_loss(weight, x, p, ridge)
    step = data.draw(hnp.arrays(np.float64, weight.shape, elements=st.floats(-1, 1)))
    worse = [expected_loss(weight + size * step, x, p, ridge) for size in (-1e-2, 1e-2)]
    slack = 1e-9 * (1 + least)
    assert least <= min(worse) + slack
    # At a minimum the loss is a parabola in any direction, so both sides rise equally.
    assert worse[0] == pytest.approx(worse[1], rel=1e-6, abs=slack)


@given(x=ROWS)
def test_without_corruption_rows_restore_themselves(x: np.ndarray) -> None:
    weight = denoiser(x, x, 0.0, TINY)
    assert np.allclose(x @ weight[:, :-1].T + weight[:, -1], x, atol=1e-5)
    full = np.concatenate([x, np.eye(x.shape[1]), np.zeros((1, x.shape[1]))])
    assert np.allclose(denoiser(full, full, 0.0, TINY), np.eye(*np.add(full.shape[1], (0, 1))), atol=1e-5)


@given(p=CORRUPTION, value=st.sampled_from([0.5, 1.0, 3.0]), n=st.integers(1, 5))
def test_a_constant_feature_is_restored_by_the_bias_alone(p: float, value: float, n: int) -> None:
    x = np.full((n, 1), value)
    assert np.allclose(denoiser(x, x, p, TINY), [[0, value]], atol=1e-6)


@given(p=CORRUPTION)
def test_independent_features_are_restored_from_themselves_alone(p: float) -> None:
    """Centred and uncorrelated: W is diagonal, (1 - p) S_ii / (1 - p) S_ii = 1, and one that is lost stays lost."""
    x = np.array([[1.0, 0], [-1, 0], [0, 2], [0, -2]])
    assert np.allclose(denoiser(x, x, p, TINY), [[1, 0, 0], [0, 1, 0]], atol=1e-6)


@given(p=CORRUPTION)
def test_twins_share_the_work(p: float) -> None:
    """Two equal centred features a: each weighs w with S (1 - p) = S (1 - p) w + S (1 - p)^2 w, so w = 1 / (2 - p)."""
    x = np.array([[1.0, 1], [-1, -1]])
    assert np.allclose(denoiser(x, x, p, TINY)[:, :2], 1 / (2 - p), atol=1e-6)


@given(x=ROWS, p=CORRUPTION, factor=st.sampled_from([1e-3, 7.0, 1e4]))
def test_scale_order_of_rows_and_of_features_do_not_matter(x: np.ndarray, p: float, factor: float) -> None:
    weight = denoiser(x, x, p, 1e-3)
    scaled = denoiser(factor * x, factor * x, p, 1e-3)
    if x.any():  # Rows of zeros have no scale.
        assert np.allclose(scaled[:, :-1], weight[:, :-1], atol=1e-7)
        assert np.allclose(scaled[:, -1], factor * weight[:, -1], rtol=1e-6, atol=1e-7 * factor)
    assert np.allclose(denoiser(x[::-1], x[::-1], p, 1e-3), weight, atol=1e-9)
    turned = denoiser(x[:, ::-1], x[:, ::-1], p, 1e-3)
    assert np.allclose(turned[::-1, -2::-1], weight[:, :-1], atol=1e-9)


@given(x=ROWS, p=CORRUPTION)
def test_what_all_rows_twice_over_teach_is_the_same(x: np.ndarray, p: float) -> None:
    twice = np.concatenate([x, x])
    assert np.allclose(denoiser(twice, twice, p, 1e-3), denoiser(x, x, p, 1e-3), atol=1e-9)


def test_blocks_of_features_vote_on_the_most_frequent_ones() -> None:
    x = counts(30, 7)
    x[:, 2] = 0
    settings = MSDA(layers=1, pivots=3, output="last")
    state = settings.fit(x)
    kept = np.sort(np.argsort(-(x > 0).sum(axis=0), kind="stable")[:3])
    assert 2 not in kept
    blocks = np.array_split(keyed_order(7, "msda", "partition"), 3)
    rows = x.astype(np.float64)
    weights = [denoiser(rows[:, block], rows[:, kept], 0.5, 1e-5) for block in blocks]
    votes = [rows[:, b] @ own[:, :-1].T + own[:, -1] for b, own in zip(blocks, weights, strict=True)]
    assert np.allclose(settings(x, state), np.tanh(np.mean(votes, axis=0)) * state["scales"][0], atol=1e-5)


def test_as_many_pivots_as_features_are_all_of_them() -> None:
    x = counts(20, 5)
    every, enough = MSDA(pivots=None), MSDA(pivots=5)
    assert np.array_equal(every(x, every.fit(x)), enough(x, enough.fit(x)))


@pytest.mark.parametrize(("output", "width"), [("last", 3), ("layers", 6), ("all", 11)])
def test_blocks_that_are_joined_count_alike(output: Literal["last", "layers", "all"], width: int) -> None:
    x = counts(40, 5)
    settings = MSDA(layers=2, pivots=3, output=output)
    rows = settings(x, settings.fit(x))
    blocks = {"last": [3], "layers": [3, 3], "all": [5, 3, 3]}[output]
    assert rows.shape == (40, width)
    assert rows.dtype == np.float32
    sizes = [np.square(own).sum(axis=1).mean() for own in np.split(rows, np.cumsum(blocks)[:-1], axis=1)]
    assert np.allclose(sizes, 1 / len(blocks), rtol=1e-5)


def test_sparse_rows_are_mapped_like_dense_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    x = counts(60, 30)
    x[x < 2] = 0
    assert np.count_nonzero(x) < 0.2 * x.size
    settings = MSDA(pivots=8)
    results = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(_msda, "SPARSE", share)
        monkeypatch.setattr(_msda, "_fits", {})
        results.append(settings(x, settings.fit(x)))
    assert np.allclose(*results, atol=1e-5)


@pytest.mark.parametrize("x", [np.zeros((4, 3)), np.ones((1, 3)), np.ones((5, 1)), np.full((3, 2), 1e4)])
def test_degenerate_rows_stay_finite(x: np.ndarray) -> None:
    rows, settings = x.astype(np.float32), MSDA()
    before = rows.copy()
    assert np.isfinite(settings(rows, settings.fit(rows))).all()
    assert np.array_equal(rows, before)


def test_the_same_rows_are_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[int] = []
    fit = _msda._fit
    monkeypatch.setattr(_msda, "_fits", {})
    monkeypatch.setattr(_msda, "_fit", lambda x, settings: solved.append(len(x)) or fit(x, settings))
    x = counts(12, 4, seed=1)
    first, again = MSDA().fit(x), MSDA().fit(x.copy())
    assert first is again
    assert solved == [12]
    MSDA(corruption=0.4).fit(x)
    MSDA().fit(2 * x)
    assert solved == [12, 12, 12]
    for seed in range(2 * _msda.KEPT):
        MSDA(layers=1).fit(counts(5, 2, seed))
    assert len(_msda._fits) == _msda.KEPT


@pytest.mark.parametrize("name", ["layers", "corruption", "ridge", "pivots", "output"])
def test_every_setting_changes_the_rows(name: str) -> None:
    x = counts(30, 6)
    other = {"layers": 2, "corruption": 0.2, "ridge": 0.3, "pivots": 4, "output": "last"}[name]
    plain, changed = MSDA(), MSDA.model_validate({name: other})
    one, two = plain(x, plain.fit(x)), changed(x, changed.fit(x))
    assert one.shape != two.shape or not np.allclose(one, two)


@given(seed=st.integers(0, 3), standardise=st.sampled_from(["none", "domain"]))
def test_a_restored_representation_is_the_same_on_unseen_rows(seed: int, standardise: str) -> None:
    values = {"transform": "tfidf", "row_norm": "l2", "standardise": standardise, "representation": "msda"}
    settings = Counts.model_validate(values)
    source, target, fresh = (counts(n, 5, seed + n) for n in (9, 7, 4))
    fitted = settings.fit({"a": DomainRows(source, {"kind": np.arange(9) % 2})}, {"b": target})
    restored = settings.restore({name: np.array(value) for name, value in fitted.state.items()})
    for domain in ("a", "b"):
        assert np.array_equal(fitted.apply(fresh, domain), restored.apply(fresh, domain))
    assert fitted.apply(fresh, "b").shape == (4, 20)


class Given(Counts, abstract=True):
    given: ClassVar[Mapping[str, DomainRows]] = {}

    def rows(self, domain: str) -> DomainRows:
        return self.given[domain]

    def checksum(self, domains: tuple[str, ...]) -> str:
        return "+".join(domains)


def fitted_weights(changed: str = "") -> np.ndarray:
    """The first layer's weights when one thing is changed of what a split reads."""
    labels, held = np.arange(20) % 2, keyed_order(20, "split", 0, "counts", "b")[:4]
    x, test = counts(20, 5, 1), counts(10, 5, 2)
    x[held] += changed == "validation"
    x[np.setdiff1d(np.arange(20), held)] += changed == "train"
    y = 1 - labels if changed == "labels" else labels
    target = DomainRows(x, {"kind": y}, test + (changed == "test"), {"kind": labels[:10]})
    Given.given = {"a": DomainRows(counts(20, 5), {"kind": labels}), "b": target}
    settings = Given.model_validate({"transform": "log", "row_norm": "none", "representation": "msda"})
    weights: np.ndarray = make_split(settings, ("a",), ("b",), 0).fitted.state["representation/weight/0"]
    return weights


@pytest.mark.parametrize("changed", ["labels", "test", "validation"])
def test_a_representation_sees_neither_target_labels_nor_rows_held_out(changed: str) -> None:
    assert np.array_equal(fitted_weights(), fitted_weights(changed))
    assert not np.array_equal(fitted_weights(), fitted_weights("train"))


def reverse_map(representation: str | None) -> np.ndarray:
    """What reverse validation carries labels back with."""
    labels = np.arange(40) % 2
    Given.given = {
        "a": DomainRows(counts(40, 5), {"kind": labels}),
        "b": DomainRows(counts(40, 5, 1), {"kind": labels}),
    }
    settings = Given.model_validate({"transform": "log", "row_norm": "none", "representation": representation})
    evaluator = Evaluator(make_split(settings, ("a",), ("b",), 0), torch.device("cpu"), torch.float32, 5)
    return evaluator.backward()


def test_labels_come_back_through_rows_that_no_representation_has_touched() -> None:
    plain = reverse_map(None)
    assert plain.shape == (5, 5)
    assert np.array_equal(plain, reverse_map("msda"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "msda", "corruption": 1.0}, r"data.representation.corruption: .*less than 1"),
        ({"name": "msda", "layers": 0}, r"data.representation.layers: .*greater than or equal to 1"),
        ({"name": "msda", "ridge": 0}, r"data.representation.ridge"),
        ({"name": "msda", "pivot": 3}, r"Did you mean 'pivots'"),
        ("mdsa", r"no representation has this name.*Did you mean 'msda'"),
    ],
)
def test_settings_that_cannot_be_meant_name_their_key(value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bind_run("source_only", "amazon_reviews/books:dvd", overrides=[("data.representation", value)])
