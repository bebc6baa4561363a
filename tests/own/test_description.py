"""Descriptions of one's own files: what is found, what is fitted to which rows, what a run makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.data._frame import WHOLE, Frame
from dareps.data._photographs import IMAGENET
from dareps.data.own._columns import Column, encode
from dareps.data.own._doubles import marks, shared_rows, told_rows
from dareps.data.own._fits import PLAIN, fit, restore
from dareps.data.own._kinds import column_kind, label_kind
from dareps.data.own.dataset import dataset_of
from dareps.data.own.description import Description, described, located
from dareps.data.split import make_split
from dareps.engine.building import build_method, split_of
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run
from dareps.recipe.own_data import described_text, load_description, whole

from ._files import cells, images, save, text

NUMBER = st.floats(-1e6, 1e6, allow_nan=False)


def tables(folder: Path, target_labels: bool = False) -> Path:
    """Two tables and their description, called `shop`."""
    save(folder / "old.csv", text(cells(80)))
    save(folder / "new.csv", text(cells(60, 1), ";", comma=True, label=target_labels))
    path = folder / "shop.yaml"
    path.write_text("domains:\n  old: {file: old.csv}\n  new: {file: new.csv}\n")
    return path


def found(path: Path, **settings: object) -> tuple[Description, list[str]]:
    given = {"name": "shop", "domains": {"old": {"file": "old.csv"}, "new": {"file": "new.csv"}}, **settings}
    return whole(located(described(given, "shop"), path.parent))


def test_what_is_left_open_is_found_and_said(tmp_path: Path) -> None:
    own, notes = found(tables(tmp_path))
    assert own.complete
    assert {name: task.classes for name, task in own.tasks.items()} == {"bought": ("no", "yes")}
    kinds = {name: column.kind for name, column in own.columns.items()}
    assert kinds == {"age": "number", "income": "number", "city": "category"}
    assert own.columns["city"].categories == ("Basel, Stadt", "Bern", "Chur")
    assert notes[0] == "rows: old 80, new 60"
    assert notes[1] == "label bought: 2 classes: no, yes (in old)"


def test_new_files_are_named_and_what_training_has_not_met_is_told(tmp_path: Path) -> None:
    load = dataset_of(found(tables(tmp_path))[0])().read_rows
    save(tmp_path / "later.csv", text(cells(30, 2)).replace("Chur", "Davos"))
    count = text(cells(30, 2)).count("Chur")
    told = f"later.csv: column city: {count} of 30 rows have a category without a place of its own"
    with pytest.warns(UserWarning, match=told):
        assert sum(map(len, load(tmp_path / "later.csv"))) == 30
    save(tmp_path / "less.csv", text(cells(30, 2)).replace("age", "years"))
    with pytest.raises(DataError, match=r"less.csv: the table lacks the column age. Add it, or rename one"):
        list(load(tmp_path / "less.csv"))
    np.savez(tmp_path / "rows.npz", x=np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"rows.npz: expected a table, found arrays"):
        list(load(tmp_path / "rows.npz"))


def test_series_of_another_length_are_told(tmp_path: Path) -> None:
    for name, length in (("a", 16), ("b", 16), ("c", 20)):
        np.savez(tmp_path / f"{name}.npz", x=np.ones((20, 2, length), np.float32), y=np.arange(20) % 2)
    places = {name: {"file": f"{name}.npz"} for name in ("a", "b")}
    load = dataset_of(whole(located(described({"name": "waves", "domains": places}, "w"), tmp_path))[0])().read_rows
    with pytest.warns(UserWarning, match=r"c.npz: rows are 2 x 20, those of training were 2 x 16."):
        list(load(tmp_path / "c.npz"))


def test_what_has_no_effect_is_told_or_refused(tmp_path: Path) -> None:
    path = tables(tmp_path)
    tasks = {"bought": {"kind": "classification"}}
    _, notes = found(path, tasks=tasks, columns={"bought": {"kind": "ignore"}})
    assert any(note.startswith("column bought: it is the label") for note in notes)
    with pytest.raises(ConfigError, match="only images have a side, not table"):
        found(path, side=64)


def test_a_complete_description_reads_back_equal_and_needs_no_files(tmp_path: Path) -> None:
    own, _ = found(tables(tmp_path))
    (tmp_path / "whole.yaml").write_text(described_text(own))
    for name in ("old.csv", "new.csv"):
        (tmp_path / name).unlink()
    again = load_description(tmp_path / "whole.yaml")
    assert again.description == own
    assert again.domains == ("old", "new")
    with pytest.raises(DataError, match="there is no such file"):
        again().rows("old")


@pytest.mark.parametrize(
    ("cells_", "kind", "why"),
    [
        (["1", "2.5", None, "7"], "number", ""),
        (["a", "b", "a", None], "category", ""),
        ([str(n) for n in range(1, 30)], "ignore", "counts rows"),
        (["x", "x", "x"], "ignore", "does not vary"),
        ([None, None], "ignore", "empty"),
        ([f"text {n}" for n in range(200)], "ignore", "text of 200"),
        (["1,5", "2,25", "3"], "number", ""),
        (["01", "02", "x"], "category", ""),
    ],
)
def test_kinds_of_columns(cells_: list[str | None], kind: str, why: str) -> None:
    own = column_kind("here", pl.Series("c", cells_, dtype=pl.String))
    assert own.kind == kind
    assert why in own.why


def test_text_among_numbers_is_named_with_its_row() -> None:
    column = pl.Series("c", [*map(str, range(0, 40, 2)), "12 kg"])
    with pytest.raises(
        DataError, match=r"column c: 1 of 21 cells are no numbers, the first in row 20 \(from 0\), got '12 kg'"
    ):
        column_kind("here", column)
    with pytest.raises(DataError, match=r"the first in row 2 \(from 0\) of new"):
        column_kind("here", column, ["old"] * 18 + ["new"] * 3)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2", "3"], "classification"),
        ([str(n) for n in range(50)], "regression"),
        (["0.5", "1.5"], "regression"),
        (["a", "1"], "classification"),
    ],
)
def test_kinds_of_labels(values: list[str], kind: str) -> None:
    assert label_kind(pl.Series(values)) == kind


def test_columns_become_numbers_with_marks_for_gaps() -> None:
    frame = pl.DataFrame({"n": ["1", None, "3"], "c": ["b", "strange", None]})
    x = encode("here", frame, [Column("n"), Column("c", ("a", "b"))])
    assert x.tolist() == [[1, 1, 0, 0], [0, -1, 1, 0], [3, 0, 0, 1]]
    with pytest.raises(DataError, match="lacks the column"):
        encode("here", frame, [Column("other")])
    with pytest.raises(DataError, match="column n, row 1 \\(from 0\\): a cell is no number, got 'x'"):
        encode("here", pl.DataFrame({"n": ["1", "x"]}), [Column("n")])


@given(arrays(np.float64, (7, 2), elements=NUMBER), arrays(np.bool_, (7, 2)))
def test_numbers_are_imputed_by_the_median_and_scaled(values: np.ndarray, missing: np.ndarray) -> None:
    values[0], missing[:2] = (1.0, -1.0), False
    values[1] = (2.0, 3.0)
    raw = np.concatenate([np.where(missing, 0.0, values), missing], axis=1)
    fitted = fit("here", [Column("c"), Column("d")], PLAIN, {"a": raw[:4], "b": raw[4:]}, "b")
    found = fitted.apply(raw, "a")
    medians = [np.median(values[~missing[:, place], place]) for place in range(2)]
    filled = np.where(missing, medians, values)
    np.testing.assert_allclose(found[:, :2].mean(axis=0), 0, atol=1e-4)
    expected = (filled - filled.mean(axis=0)) / filled.std(axis=0)
    np.testing.assert_allclose(found[:, :2], expected, rtol=1e-4, atol=1e-4)
    assert (found[:, 2:] == missing).all()
    again = restore("here", ["c", "d"], {name: np.array(own) for name, own in fitted.state.items()})
    assert (again.apply(raw, "b") == found).all()


def test_nothing_is_fitted_to_validation_or_test_rows(tmp_path: Path) -> None:
    """Other values in rows that are not for training leave what is fitted alone; in rows that are, they do not."""
    part = ["test", "validation", "train"]

    def state(spoilt: str) -> np.ndarray:
        lines = [f"{age * (100 if part[n % 3] == spoilt else 1)},{n % 2},{part[n % 3]}" for n, (age, *_) in rows]
        save(tmp_path / "a.csv", "\n".join(["age,y,part", *lines]))
        places = {name: {"file": "a.csv", "part": "part"} for name in ("a", "b")}
        own, _ = whole(located(described({"name": "parts", "domains": places, "tasks": {"y": {}}}, "p"), tmp_path))
        return make_split(dataset_of(own)(), ("a",), ("b",), 0).fitted.state["means"]

    rows = list(enumerate(cells(60)))
    assert state("none") == state("test") == state("validation")
    assert state("none") != state("train")


def test_a_run_on_tables_and_its_model_on_new_rows(tmp_path: Path) -> None:
    run = bind_run("source_only", "shop/old:new", plugins=[str(tables(tmp_path))])
    assert [task.name for task in run.tasks] == ["bought"]
    data = make_split(run.data, run.source, run.target, 0)
    # Two numbers, gaps of income; three cities, other ones, gaps of city.
    assert data.source_train[0].x.shape[1] == 2 + 1 + 3 + 2
    assert (data.sealed.open_for_scorer("test", "new")["bought"] == -1).all()


def test_one_table_with_a_column_for_domains_and_one_for_parts(tmp_path: Path) -> None:
    rows = cells(60)
    season = ["summer" if number % 2 else "winter" for number in range(60)]
    part = ["test" if number % 5 == 0 else "validation" if number % 5 == 1 else "train" for number in range(60)]
    lines = text(rows).splitlines()
    joined = [f"{lines[0]},season,part"]
    joined += [f"{line},{a},{b}" for line, a, b in zip(lines[1:], season, part, strict=True)]
    save(tmp_path / "all.csv", "\n".join(joined))
    places = {name: {"file": "all.csv", "column": "season", "part": "part"} for name in ("summer", "winter")}
    own, _ = whole(located(described({"name": "year", "domains": places, "tasks": {"bought": {}}}, "year"), tmp_path))
    (tmp_path / "year.yaml").write_text(described_text(own))
    summer = load_description(tmp_path / "year.yaml")().rows("summer")
    assert (len(summer.x), len(summer.test_x), len(summer.validation)) == (24, 6, 6)
    assert set(own.columns) == {"age", "income", "city"}
    places["spring"] = places["summer"]
    with pytest.raises(DataError, match="no row has this in column season, got 'spring'"):
        whole(located(described({"name": "year", "domains": places}, "year"), tmp_path))


def test_series_and_images_go_in_by_channel_and_as_they_are(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", x=draw.normal(3, 2, (30, 2, 16)), y=np.arange(30) % 3)
    places = {name: {"file": f"{name}.npz"} for name in ("a", "b")}
    own, _ = whole(located(described({"name": "series", "domains": places}, "s"), tmp_path))
    assert (own.form, own.shape) == ("series", (2, 16))
    (tmp_path / "series.yaml").write_text(described_text(own))
    data = make_split(load_description(tmp_path / "series.yaml")(), ("a",), ("b",), 0)
    train = np.concatenate([data.source_train[0].x, data.target_train[0].x])
    np.testing.assert_allclose(train.mean(axis=(0, 2)), 0, atol=1e-5)
    images(tmp_path / "one", count=6)
    images(tmp_path / "two", classes=(), count=12)
    places = {"one": {"file": "one"}, "two": {"file": "two"}}
    own, notes = whole(located(described({"name": "pictures", "domains": places, "side": 16}, "p"), tmp_path))
    assert (own.form, own.shape, own.tasks["class"].classes) == ("images", (3, 16, 16), ("cat", "dog"))
    assert "inputs: images, each 3 x 16 x 16" in notes


def test_images_say_what_encoders_see_of_them(tmp_path: Path) -> None:
    images(tmp_path / "one", count=6)
    images(tmp_path / "two", classes=(), count=12)
    places = {"one": {"file": "one"}, "two": {"file": "two"}}
    asked = {"name": "pictures", "domains": places, "side": 16}
    plain, _ = whole(located(described(asked, "p"), tmp_path))
    seen, _ = whole(located(described({**asked, "crop": 12, "pixels": "imagenet"}, "p"), tmp_path))
    assert dataset_of(plain)().frame() == WHOLE
    data = dataset_of(seen)()
    assert data.frame() == Frame(12, *IMAGENET)
    assert data.checksum(("one",)) != dataset_of(plain)().checksum(("one",))
    dataset_of(seen)  # The last description of a name is the one that splits mean.
    run = bind_run("source_only", "pictures/one:two", overrides=[("encoder", {"name": "conv2d", "channels": [4]})])
    assert build_method(run, split_of(run)).encoder.encoder.shapes["conv1"] == (4, 6, 6)


def test_rows_without_pixels_have_no_middle(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only images have a middle and pixels, not table"):
        dataset_of(found(tables(tmp_path), crop=12)[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"domains": {}}, "none is described"),
        ({"domains": {"a+b": {"file": "old.csv"}}}, "cannot be a domain's name in splits"),
        ({"domains": {"a": {"file": "gone.csv"}}}, "there is no such file or folder, got 'gone.csv'"),
        ({"tasks": {"sold": {}}}, "no file has this label, got 'sold'"),
        ({"columns": {"ages": {"kind": "number"}}}, "no file has this column, got 'ages'"),
        ({"form": "series"}, "the description says series"),
        ({"name": "My Shop"}, "should match pattern"),
        ({"files": 3}, "unknown key"),
    ],
)
def test_mistakes_are_one_sentence(settings: dict[str, object], message: str, tmp_path: Path) -> None:
    path = tables(tmp_path)
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        found(path, **settings)
    assert "\n" not in str(caught.value)


def test_a_label_that_does_not_stand_out_must_be_named(tmp_path: Path) -> None:
    path = tables(tmp_path, target_labels=True)
    with pytest.raises(DataError, match="it is not clear which column is the label"):
        found(path)
    assert list(found(path, tasks={"bought": {}})[0].tasks) == ["bought"]


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    path = tables(tmp_path)
    save(tmp_path / "old.csv", text([(*row[:3], "yes") for row in cells(30)]))
    with pytest.raises(DataError, match="this many different classes, got 1"):
        found(path)


def test_rows_that_occur_twice_are_counted() -> None:
    source = np.arange(12.0).reshape(6, 2)
    target = np.concatenate([source[:2], np.full((4, 2), 9.0)])
    assert shared_rows(marks([source[:1], source[1:]]), marks([target])) == (2, 3, 6)
    assert shared_rows([], marks([target])) == (0, 3, 6)
    both, often = told_rows("new", 2, 3, 6)
    assert both.startswith("2 of 6 rows of new are rows of the source as well")
    assert often == "3 of 6 rows of new occur more than once."
    assert told_rows("new", 0, 0, 6) == []
