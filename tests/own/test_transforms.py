"""Transforms that descriptions ask for: closed forms, what they are fitted to, what does not go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from dareps.data._base import Fitted
from dareps.data.own._columns import Column
from dareps.data.own._fits import PLAIN, fit, normed, restore
from dareps.data.own._numbers import POINTS, normal_scores, points_of
from dareps.data.own.dataset import dataset_of
from dareps.data.own.description import Transform, Transforms, described, located
from dareps.data.split import make_split
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run
from dareps.recipe.own_data import described_text, load_description, whole
from tests.own._files import save

from ._tables import describe

VALUES = arrays(np.float64, (9, 1), elements=st.integers(0, 1000).map(float), unique=True)


def raw(values: np.ndarray, missing: np.ndarray | None = None) -> np.ndarray:
    """Rows (n, d) with their marks of gaps."""
    gaps = np.zeros(values.shape) if missing is None else missing
    return np.concatenate([np.where(gaps, 0.0, values), gaps], axis=1)


def one(transform: Transform, x: np.ndarray) -> Fitted:
    """A single column without marks, fitted to all rows."""
    return fit("here", [Column("n", (), transform, marked=False)], PLAIN, {"a": x}, "a")


def told(fitted: Fitted, x: np.ndarray, domain: str = "a") -> np.ndarray:
    """What restored state makes of rows; the same as what was fitted does."""
    again = restore("here", ["n"] * 2, {name: np.array(own) for name, own in fitted.state.items()})
    found = fitted.apply(x, domain)
    assert (again.apply(x, domain) == found).all()
    return found


@given(VALUES)
def test_normal_scores_of_ranks(values: np.ndarray) -> None:
    found = told(one("rank", raw(values)), raw(values))[:, 0]
    ranks = values[:, 0].argsort().argsort()
    np.testing.assert_allclose(found, norm.ppf((ranks + 0.5) / 9), rtol=1e-5, atol=1e-6)


@given(VALUES)
def test_ranks_know_no_units(values: np.ndarray) -> None:
    """A monotone change of all values changes no score."""
    changed = np.exp(values / 300) - 7
    assert (
        one("rank", raw(values)).apply(raw(values), "a") == one("rank", raw(changed)).apply(raw(changed), "a")
    ).all()


def test_ties_ends_and_values_between() -> None:
    points = np.array([1.0, 2.0, 2.0, 5.0])
    found = normal_scores(np.array([-9.0, 1.0, 1.5, 2.0, 4.0, 5.0, 99.0]), points)
    np.testing.assert_allclose(found, norm.ppf(np.array([1, 1, 2, 4, 6, 7, 7]) / 8))
    assert normal_scores(np.array([3.0, 4.0]), np.zeros(0)).tolist() == [0, 0]


def test_ranks_among_many_values_are_taken_among_some() -> None:
    values = np.random.default_rng(0).permutation(50_000).astype(float)
    points = points_of(values)
    assert len(points) == POINTS
    exact, found = (norm.cdf(normal_scores(values, own)) for own in (np.sort(values), points))
    assert np.abs(exact - found).max() <= 1 / POINTS


@given(VALUES)
def test_logarithms_are_shifted_and_scaled(values: np.ndarray) -> None:
    logs = np.log1p(values)
    found = told(one("log", raw(values)), raw(values))
    np.testing.assert_allclose(found, (logs - logs.mean()) / logs.std(), rtol=1e-4, atol=1e-4)


@given(VALUES)
def test_none_leaves_numbers_and_fills_gaps_with_the_median(values: np.ndarray) -> None:
    missing = np.zeros((9, 1), bool)
    missing[4] = True
    found = told(one("none", raw(values, missing)), raw(values, missing))
    np.testing.assert_array_equal(found[~missing], values[~missing].astype(np.float32))
    assert found[4] == np.float32(np.median(values[~missing]))


def test_gaps_have_the_score_0_of_the_middle_rank() -> None:
    missing = np.array([[1.0], [0], [0], [0]])
    found = one("rank", raw(np.array([[0.0], [3], [1], [2]]), missing)).apply(
        raw(np.zeros((1, 1)), np.ones((1, 1))), "a"
    )
    assert found == 0


def test_negative_numbers_have_no_logarithm() -> None:
    x = raw(np.array([[1.0], [-2.0]]))
    with pytest.raises(DataError, match=r"here, column n: the transform log needs numbers from 0 on, got -2.0"):
        one("log", x)
    with pytest.raises(DataError, match="column n: the transform log"):
        one("log", np.abs(x)).apply(x, "a")
    missing = raw(np.array([[1.0], [-2.0], [3.0]]), np.array([[0.0], [1.0], [0.0]]))
    one("log", missing)


@given(arrays(np.float64, (5, 2, 3), elements=st.floats(-9, 9)))
def test_rows_have_norm_1_or_are_0(x: np.ndarray) -> None:
    x[2] = 0
    for name, measure in (("l1", np.abs), ("l2", np.square)):
        lengths = measure(normed(x, "l1" if name == "l1" else "l2")).sum(axis=(1, 2))
        assert (np.isclose(lengths, 1) | (lengths < 1e-9)).all()
    marked = raw(np.array([[3.0, 4.0, 9.0]]), np.array([[0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(normed(marked, "l2"), [[0.6, 0.8, 0, 0, 0, 1]])


@pytest.mark.parametrize("shape", [(2,), (2, 7)])
def test_each_domain_by_itself(shape: tuple[int, ...]) -> None:
    """Each domain's rows have mean 0 and deviation 1; rows of a new domain are taken for the target's."""
    draw = np.random.default_rng(0)
    values = {name: draw.normal(place, 1 + place, (40, *shape)) for place, name in enumerate("abc")}
    x = {name: raw(own) if len(shape) == 1 else own for name, own in values.items()}
    columns = [Column(name, marked=False) for name in "nm"] if len(shape) == 1 else []
    fitted = fit("here", columns, Transforms(standard="domain"), x, "b")
    for name, own in x.items():
        found = told(fitted, own, name)
        axes = (0, *range(2, found.ndim))
        np.testing.assert_allclose(found.mean(axis=axes), 0, atol=1e-5)
        np.testing.assert_allclose(found.std(axis=axes), 1, atol=1e-5)
    assert (told(fitted, x["a"], "new") == fitted.apply(x["a"], "b")).all()


def test_places_in_use_are_those_of_all_domains_together() -> None:
    columns = [Column("c", ("u", "v")), Column("n")]
    a, b = raw(np.array([[0.0, 1], [0, 2]])), raw(np.array([[1.0, 5], [1, 6]]), np.array([[0.0, 0], [0, 1]]))
    fitted = fit("here", columns, Transforms(standard="domain"), {"a": a, "b": b}, "b")
    expected = [[0, 0, 1, 0, 0], [1, 0, 1, 0, 0]]  # The mark of n, then u, v, others, gaps.
    assert fitted.apply(b, "a")[:, 1:].tolist() == expected


def description(folder: Path, scale: Callable[[int], float], more: Mapping[str, object]) -> Fitted:
    """What is fitted to a table whose rows are test, validation and train rows in turn, scaled by their number."""
    parts = ("test", "validation", "train")
    rows = [
        f"{(n % 17 + 1) * scale(n % 3)},{n % 5},{'pqr'[n % 3 if n > 5 else 2]},{n % 2},{parts[n % 3]}"
        for n in range(60)
    ]
    save(folder / "a.csv", "\n".join(["size,age,kind,y,part", *rows]))
    places = {name: {"file": "a.csv", "part": "part"} for name in ("a", "b")}
    settings = {"name": "parts", "domains": places, "tasks": {"y": {}}, **more}
    own, _ = whole(located(described(settings, "p"), folder))
    return make_split(dataset_of(own)(), ("a",), ("b",), 0).fitted


@pytest.mark.parametrize(
    "more",
    [
        {"columns": {"size": {"transform": "log"}}},
        {"columns": {"size": {"transform": "rank"}}},
        {"transforms": {"numbers": "rank", "standard": "domain"}},
        {"transforms": {"standard": "domain"}},
    ],
)
def test_only_train_rows_are_fitted_to(more: Mapping[str, object], tmp_path: Path) -> None:
    plain = description(tmp_path, lambda part: 1, more).state
    for part in (0, 1):
        other = description(tmp_path, lambda own, part=part: 1 + 7 * (own == part), more).state  # type: ignore[misc]
        assert plain.keys() == other.keys()
        assert all(np.array_equal(own, other[name]) for name, own in plain.items())
    moved = description(tmp_path, lambda own: 1 + 7 * (own == 2), more).state
    assert any(not np.array_equal(own, moved[name]) for name, own in plain.items())


def test_a_description_says_transforms_and_keeps_them(tmp_path: Path) -> None:
    more = "columns: {income: {transform: log}}\ntransforms: {numbers: rank, standard: domain}\n"
    path = describe(tmp_path, more)
    own = load_description(path).description
    assert (own.columns["income"].transform, own.columns["age"].transform) == ("log", None)
    (tmp_path / "whole.yaml").write_text(described_text(own))
    assert load_description(tmp_path / "whole.yaml").description.transforms == own.transforms
    run = bind_run("source_only", "shop/old:new", plugins=[str(path)])
    data = make_split(run.data, run.source, run.target, 0)
    age, income = data.source_train[0].x[:, :2].T
    np.testing.assert_allclose([income.mean(), income.std()], [0, 1], atol=1e-4)
    raw_age = run.data.rows("old").x[:, 0]
    assert abs(age).max() == pytest.approx(norm.ppf(1 - 0.5 / len(age)), rel=1e-5)
    assert len(np.unique(age)) <= len(np.unique(raw_age))


@pytest.mark.parametrize("form", ["rows", "series"])
def test_arrays_and_series(form: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for place, name in enumerate("ab"):
        x = draw.normal(place, 1, (30, 4) if form == "rows" else (30, 2, 8))
        np.savez(tmp_path / f"{name}.npz", x=x, y=np.arange(30) % 2)
    places = {name: {"file": f"{name}.npz"} for name in "ab"}
    asked = {"row_norm": "l2", "numbers": "none"}
    own, _ = whole(located(described({"name": "arrays", "domains": places, "transforms": asked}, "s"), tmp_path))
    data = make_split(dataset_of(own)(), ("a",), ("b",), 0)
    x = data.target_test[0].x
    np.testing.assert_allclose(np.square(x).reshape(len(x), -1).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("transforms: {row_norm: l1}", "columns of a table have no unit in common"),
        ("columns: {town: {transform: log}}", "columns.town.transform: categories have none, got 'log'"),
        ("columns: {age: {transform: cube}}", "'standard', 'log', 'rank' or 'none'"),
        ("transforms: {standard: domains}", "'joint' or 'domain'"),
    ],
)
def test_mistakes_are_one_sentence(more: str, message: str, tmp_path: Path) -> None:
    path = describe(tmp_path, more)
    with pytest.raises(ConfigError, match=message) as caught:
        load_description(path)
    assert "\n" not in str(caught.value)


def test_series_have_no_ranks_and_images_go_in_as_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(9, 2, 8)), y=np.arange(9) % 2)
    np.savez(tmp_path / "b.npz", x=np.zeros((20, 1, 8, 8), np.uint8), y=np.arange(20) % 2)

    def loaded(name: str, asked: dict[str, str]) -> type:
        places = {domain: {"file": f"{name}.npz"} for domain in ("one", "two")}
        own, _ = whole(located(described({"name": "own", "domains": places, "transforms": asked}, "s"), tmp_path))
        return dataset_of(own)

    with pytest.raises(ConfigError, match="series are scaled by channel or left alone, got 'rank'"):
        loaded("a", {"numbers": "rank"})
    with pytest.raises(ConfigError, match="images of bytes go in as they are"):
        make_split(loaded("b", {"standard": "domain"})(), ("one",), ("two",), 0)


def test_series_of_whole_bytes_are_scaled_as_others_are(tmp_path: Path) -> None:
    bytes_ = np.random.default_rng(0).integers(0, 255, (40, 2, 8), dtype=np.uint8)
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", x=bytes_, y=np.arange(40) % 2)
    places = {name: {"file": f"{name}.npz"} for name in "ab"}
    own, _ = whole(located(described({"name": "bytes", "domains": places}, "s"), tmp_path))
    data = make_split(dataset_of(own)(), ("a",), ("b",), 0)
    train = np.concatenate([data.source_train[0].x, data.target_train[0].x])
    np.testing.assert_allclose(train.std(axis=(0, 2)), 1, atol=1e-4)
