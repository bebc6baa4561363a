"""Columns of categories: which place each value has, that no seed changes the width, and runs on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dareps.data.own._columns import Column, encode, layout
from dareps.data.own._fits import PLAIN, fit
from dareps.data.own._infer import LISTED, common
from dareps.data.own.dataset import dataset_of
from dareps.data.own.description import Description, described
from dareps.data.split import make_split
from dareps.encoders.mlp import MLP
from dareps.encoders.table import Table
from dareps.engine.building import build_method, split_of
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Trainer
from dareps.engine.predict import load
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run, dump_run, rebind
from dareps.recipe.own_data import load_description
from dareps.recipe.settings import Run
from tests.engine._make import CPU, distance, weights_of

from ._tables import describe

SHORT = (("encoder.name", "table"), ("phases.*.steps", 12), ("engine.evaluations", 2), ("phases.*.batch", 16))
CITY = [Column("c", ("a", "b", "z"))]


def blocks(train: list[str | None], later: list[str | None]) -> list[list[float]]:
    """Places of later rows: of a, b, z, any other, missing."""
    raw = [encode("here", pl.DataFrame({"c": own}, schema={"c": pl.String}), CITY) for own in (train, later)]
    found: list[list[float]] = fit("here", CITY, PLAIN, {"a": raw[0]}, "a").apply(raw[1], "a").tolist()
    return found


def test_what_train_rows_lack_is_nowhere() -> None:
    rows = blocks(["a", "b", "a"], ["z", "b", None, "never heard of", "a"])
    assert rows == [[0] * 5, [0, 1, 0, 0, 0], [0] * 5, [0] * 5, [1, 0, 0, 0, 0]]


def test_others_and_gaps_have_places_once_train_rows_have_some() -> None:
    rows = blocks(["a", "b", "not listed", None], ["z", "never heard of", None, "b"])
    other, gap = [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]
    assert rows == [other, other, gap, [0, 1, 0, 0, 0]]


def test_the_layout_is_said_by_the_columns_alone() -> None:
    columns = [Column("c", ("a", "b")), Column("n", marked=False), Column("d", ("x",)), Column("m")]
    assert layout(columns) == ((3, 4), (7, 3))
    assert layout([Column("n")]) == ()
    raw = np.zeros((2, 8))
    raw[1, 1] = 5.0
    assert fit("here", columns, PLAIN, {"a": raw}, "a").apply(raw, "a").shape == (2, 10)


def test_a_hundred_thousand_values_become_the_most_common_ones(tmp_path: Path) -> None:
    values = pl.Series([f"shop {n}" for n in range(100_000)] + ["shop 99999", "shop 7", None])
    notes: list[str] = []
    found = common(values, "shop", notes)
    assert len(found) == LISTED
    assert {"shop 7", "shop 99999"} < set(found)
    assert notes == ["column shop: the 256 most common of 100000 categories, all others share a place"]
    listed = {"kind": "category", "categories": list(map(str, range(100_000)))}
    settings = {"name": "shop", "domains": {"a": {"file": "a.csv"}}, "columns": {"shop": listed}, "form": "table"}
    asked = described({**settings, "shape": [2], "tasks": {"y": {"kind": "regression"}}}, "shop")
    with pytest.raises(ConfigError, match=r"columns.shop.categories: at most 1000 .* got 100000. List the most common"):
        dataset_of(asked)


def test_a_table_that_does_not_vary_is_refused() -> None:
    raw = encode("here", pl.DataFrame({"c": ["a", "a"]}), CITY)
    with pytest.raises(DataError, match="no column varies"):
        fit("here", CITY, PLAIN, {"a": raw}, "a")


def runs(folder: Path, *more: tuple[str, object], seeds: int = 3, recipe: str = "dann") -> list[Run]:
    path = folder / "shop.yaml"
    path = path if path.exists() else describe(folder)
    return [bind_run(recipe, "shop/old:new", seed, [*SHORT, *more], plugins=[str(path)]) for seed in range(seeds)]


def trainer_of(own: list[Run], stacked: bool | None = None) -> Trainer:
    return Trainer(own, [split_of(run) for run in own], CPU, None, stacked)


def test_every_seed_has_rows_of_one_width_in_which_the_encoder_finds_the_categories(tmp_path: Path) -> None:
    own = runs(tmp_path, seeds=8)
    encoder = own[0].method.encoder
    # Numbers: age, income and its gaps. Towns 5, kinds 3, colours 4, each with two places more.
    assert isinstance(encoder, Table)
    assert encoder.blocks == ((3, 7), (10, 5), (15, 6))
    for run in own:
        data = make_split(run.data, run.source, run.target, run.seed)
        x = data.source_train[0].x
        assert x.shape[1] == 21
        assert all((x[:, start : start + size].sum(axis=1) <= 1).all() for start, size in encoder.blocks)
    assert rebind(dump_run(own[0])) == own[0]


def test_a_dataset_without_categories_and_mlp_are_as_they_were(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, ("encoder", "mlp"), seeds=1)
    assert run.method.encoder == MLP()
    numbers = "columns: {town: {kind: ignore}, kind: {kind: ignore}, colour: {kind: ignore}}\n"
    describe(tmp_path, numbers)
    assert load_description(tmp_path / "shop.yaml").layout == ()
    (run,) = runs(tmp_path, seeds=1)
    assert run.method.encoder == Table()


def test_stacked_seeds_train_as_if_alone(tmp_path: Path) -> None:
    own = runs(tmp_path, ("engine.precision", "float64"))
    together, alone = trainer_of(own, stacked=True), trainer_of(own[1:2])
    together.train()
    alone.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9


@pytest.mark.parametrize("scheme", ["soft", "shared_private"])
def test_sharing_schemes_see_its_stages(scheme: str, tmp_path: Path) -> None:
    (run,) = runs(tmp_path, ("sharing", scheme), seeds=1)
    trainer = trainer_of([run])
    trainer.train()
    assert [name for name in weights_of(trainer) if ".chain.input.columns.2.weight" in name]


def test_frozen_vectors_stand_still(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, ("phases.0.freeze", ["encoder.input"]), seeds=1, recipe="source_only")
    before = build_method(run, split_of(run)).state_dict()
    trainer = trainer_of([run])
    trainer.train()
    moved = {name for name, own in weights_of(trainer).items() if (own != before[name]).any()}
    assert not [name for name in moved if ".chain.input." in name]
    assert [name for name in moved if ".chain.layer1." in name]


def test_a_saved_model_predicts_the_same_and_takes_values_that_are_new(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, seeds=1)
    (outcome,) = execute([run], Surroundings(tmp_path / "out", CPU, strict=True))
    assert outcome.status == "ok", outcome.error
    model, dataset = load(tmp_path / "out" / outcome.folder), load_description(tmp_path / "shop.yaml")()
    x = dataset.rows("new").x
    fitted = make_split(run.data, run.source, run.target, 0).fitted
    assert (model.fitted.apply(x, "new") == fitted.apply(x, "new")).all()
    first = model.predict_proba(x)
    assert (load(tmp_path / "out" / outcome.folder).predict_proba(x) == first).all()
    head = "age,income,town,kind,colour\n"
    (tmp_path / "later.csv").write_text(f"{head}40,3,Zermatt,a,red\n40,3,Davos,a,red\n,,,,\n")
    strange, other, _ = model.predict_proba(np.concatenate(list(dataset.read_rows(tmp_path / "later.csv"))))
    assert (strange == other).all(), "values never met are alike"


def test_descriptions_are_part_of_a_runs_key(tmp_path: Path) -> None:
    describe(tmp_path)
    own: Description = load_description(tmp_path / "shop.yaml").description
    logs = own.model_copy(update={"columns": {**own.columns, "income": own.columns["income"].model_copy()}})
    assert dataset_of(logs)().checksum(("old", "new")) == dataset_of(own)().checksum(("old", "new"))
    changed = own.columns["income"].model_copy(update={"transform": "log"})
    logs = own.model_copy(update={"columns": {**own.columns, "income": changed}})
    assert dataset_of(logs)().checksum(("old", "new")) != dataset_of(own)().checksum(("old", "new"))
