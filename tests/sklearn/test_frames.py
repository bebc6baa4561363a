"""Frames with text, categories and gaps in the estimator: what columns are, in which order they come, what is new."""

from __future__ import annotations

import pickle
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from dareps.data.own._columns import Column
from dareps.encoders.table import Table
from dareps.sklearn import DomainAdapter
from dareps.sklearn._frames import cells_of, is_frame, table_of
from tests.own._tables import lines

from ._pandas import Cells, Frame, NamedType

SHORT = {"encoder.name": "table", "phases.*.steps": 25, "engine.evaluations": 1}
NAMES = ("age", "income", "town", "kind", "colour")
FLOAT, OBJECT = np.dtype(float), np.dtype(object)


def sides() -> tuple[pl.DataFrame, np.ndarray, pl.DataFrame]:
    """Source rows and labels, and target rows with a town and a colour that the source lacks."""

    def frame(rows: list[tuple[str, ...]]) -> pl.DataFrame:
        cells = {name: [row[place] or None for row in rows] for place, name in enumerate(NAMES)}
        return pl.DataFrame(cells).with_columns(pl.col("age", "income").cast(pl.Float64))

    source = lines(120, 0)
    return frame(source), np.asarray([row[-1] for row in source]), frame(lines(60, 1, target=True))


def as_pandas(frame: pl.DataFrame) -> Frame:
    """The same table, its numbers with NaN for gaps, its text as objects and, once, as categories."""
    types = {"town": OBJECT, "kind": NamedType("category", "O"), "colour": NamedType("string", "O")}
    gap = {name: None if name in types else float("nan") for name in frame.columns}
    cells = {name: [gap[name] if cell is None else cell for cell in frame[name].to_list()] for name in frame.columns}
    return Frame({name: Cells(own, types.get(name, FLOAT)) for name, own in cells.items()})


@pytest.fixture(scope="module")
def fitted() -> DomainAdapter:
    x, y, target = sides()
    return DomainAdapter(settings=SHORT).fit(x, y, target)


def test_columns_of_text_are_categories_with_vectors(fitted: DomainAdapter) -> None:
    assert fitted.feature_names_in_.tolist() == list(NAMES)
    assert fitted.n_features_in_ == 5
    encoder = fitted.model_.method.recipe.encoder
    assert isinstance(encoder, Table)
    assert encoder.blocks == ((3, 7), (10, 5), (15, 6))


def test_columns_are_found_by_their_names(fitted: DomainAdapter) -> None:
    _, _, target = sides()
    found = fitted.predict_proba(target)
    assert (fitted.predict_proba(target.select(reversed(NAMES))) == found).all()
    for changed, message in [
        (target.drop("town"), "X has 4 features, .* 5 .*: missing are town; new are none"),
        (target.rename({"town": "city"}), "missing are town; new are city"),
        (target.with_columns(more=1), "missing are none; new are more"),
        (target.with_columns(age=pl.lit("old")), "Column age holds text, and did not in fit: 'old'"),
        (target.to_numpy(), "give a table with the columns age, income, town, kind, colour, not an array"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted.predict(changed)


def test_values_never_met_are_alike_and_gaps_are_taken(fitted: DomainAdapter) -> None:
    _, _, target = sides()
    first, second = (fitted.predict_proba(target.with_columns(town=pl.lit(name))) for name in ("Davos", "Zermatt"))
    assert (first == second).all()
    assert (first != fitted.predict_proba(target)).any()
    empty = target.with_columns(pl.lit(None).alias(name) for name in NAMES)
    assert np.isfinite(fitted.predict_proba(empty)).all()


def test_tables_that_look_like_pandas_give_the_same(fitted: DomainAdapter) -> None:
    x, y, target = sides()
    again = clone(fitted).fit(as_pandas(x), y, as_pandas(target))
    expected = fitted.predict_proba(target)
    assert (again.predict_proba(as_pandas(target)) == expected).all()
    assert (again.predict_proba(target) == expected).all()


def test_it_is_pickled_and_cross_validated(fitted: DomainAdapter) -> None:
    x, y, target = sides()
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.predict_proba(target) == fitted.predict_proba(target)).all()
    assert np.isfinite(cross_val_score(clone(fitted), x, y, cv=2)).all()


def test_both_sides_may_come_in_one_table() -> None:
    x, y, target = sides()
    both, domain = pl.concat([x, target]), np.concatenate([np.ones(len(x)), -np.ones(len(target))])
    estimator = DomainAdapter(settings=SHORT)
    apart = clone(estimator).fit(x, y, target).predict_proba(target)
    together = estimator.fit(both, np.concatenate([y, np.full(len(target), "no")]), domain=domain)
    assert (together.predict_proba(target) == apart).all()


def test_a_frame_of_numbers_is_as_good_as_its_array() -> None:
    x, y, target = (own.select("age", "income") if isinstance(own, pl.DataFrame) else own for own in sides())
    frame, array = (DomainAdapter("source_only", settings=SHORT) for _ in range(2))
    expected = array.fit(x.to_numpy(), y, target.to_numpy()).predict_proba(target.to_numpy())
    assert (frame.fit(x, y, target).predict_proba(target) == expected).all()
    with pytest.raises(ValueError, match="infinity"):
        frame.predict(target.with_columns(age=pl.lit(float("inf"))))


@pytest.mark.parametrize(
    ("cells", "categories", "marked"),
    [
        (Cells([1.0, float("nan")], FLOAT), (), True),
        (Cells([1, None, 3], NamedType("Int64", "i")), (), True),
        (Cells([True, False], np.dtype(bool)), (), False),
        (Cells([2, 1.5], OBJECT), (), False),
        (Cells(["b", None, "a"], OBJECT), ("a", "b"), True),
        (Cells(["b", 2], OBJECT), ("2", "b"), False),
        (Cells([10, 2], NamedType("category", "O")), ("2", "10"), False),
        (Cells(["x"], NamedType("string", "U")), ("x",), False),
        (Cells([None, None], OBJECT), (), True),
    ],
)
def test_what_columns_are(cells: Cells, categories: tuple[str, ...], marked: bool) -> None:
    table = table_of([Frame({"own": cells})])
    assert table.columns == (Column("own", categories, marked=marked),)
    assert np.isnan(table.matrix(Frame({"own": cells}))[:, 0]).tolist() == cells.isna().tolist()


@pytest.mark.parametrize(
    ("cells", "categories"),
    [
        (pl.Series(["b", "a"], dtype=pl.Categorical), ("a", "b")),
        (pl.Series(["b", "a"], dtype=pl.Enum(["a", "b", "z"])), ("a", "b")),
        (pl.Series([1, None]), ()),
        (pl.Series([None, None]), ()),
        (pl.Series([{1}, "text"], dtype=pl.Object), ("text", "{1}")),
    ],
)
def test_what_columns_of_polars_are(cells: pl.Series, categories: tuple[str, ...]) -> None:
    assert table_of([pl.DataFrame({"own": cells})]).columns[0].categories == categories


def test_one_side_may_hold_numbers_where_the_other_has_text() -> None:
    table = table_of([pl.DataFrame({"own": [1.0, 2.0]}), pl.DataFrame({"own": ["2", "x"]})])
    assert table.columns[0].categories == ("1", "2", "x")
    assert table.matrix(pl.DataFrame({"own": [2.0, 7.0]})).tolist() == [[1], [-1]]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"day": [date(2024, 1, 1)]}), "Column day is of Date: make it numbers or text"),
        (Frame({"day": Cells([1], np.dtype("datetime64[ns]"))}), "Column day is of datetime64"),
        (pl.DataFrame({"many": [[1, 2]]}), "Column many is of List"),
    ],
)
def test_other_columns_are_refused(frame: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cells_of(frame)


def test_columns_without_names_are_found_by_their_places() -> None:
    table = table_of([Frame({0: Cells([1.0], FLOAT), 1: Cells(["a"], OBJECT)})])
    assert not table.named
    assert table.matrix(Frame({5: Cells([1.0], FLOAT), 6: Cells(["a"], OBJECT)})).tolist() == [[1, 0]]
    with pytest.raises(ValueError, match=r"X has 1 features, but DomainAdapter is expecting 2 features as input\.$"):
        table.matrix(Frame({0: Cells([1.0], FLOAT)}))


def test_arrays_and_lists_are_no_frames() -> None:
    assert not any(map(is_frame, (np.zeros((2, 2)), [[1]], np.rec.array([(1, 2)], names="a,b"))))


def test_codes_do_not_depend_on_other_rows() -> None:
    values = [1, 2.5, "a", True, 1e20, 1.0, 1e-7]
    table = table_of([Frame({"own": Cells(values, OBJECT)})])
    whole = table.matrix(Frame({"own": Cells(values, OBJECT)}))[:, 0]
    assert (whole >= 0).all()
    for value, code in zip(values, whole, strict=True):
        assert table.matrix(Frame({"own": Cells([value], OBJECT)})).tolist() == [[code]]
    assert table.matrix(Frame({"own": Cells([True, 2.5], OBJECT)}))[:, 0].tolist() == whole[[3, 1]].tolist()
    for dtype, own in ((FLOAT, [0, 1, 4, 6]), (np.dtype(bool), [3])):
        plain = Frame({"own": Cells([values[place] for place in own], dtype)})
        assert table.matrix(plain)[:, 0].tolist() == whole[own].tolist()
    assert table.matrix(pl.DataFrame({"own": [1.0, 2.5]}))[:, 0].tolist() == whole[:2].tolist()
    assert table.matrix(pl.DataFrame({"own": [True]})).tolist() == [[whole[3]]]


def test_one_value_has_one_place_whatever_side_it_is_on() -> None:
    table = table_of([pl.DataFrame({"own": ["1", "x"]}), pl.DataFrame({"own": [1.0, 2.5]})])
    assert table.columns[0].categories == ("1", "2.5", "x")
    table = table_of([Frame({"own": Cells(values, OBJECT)}) for values in ([True, "x"], [True, 2])])
    assert table.columns[0].categories == ("2", "True", "x")
