"""`dareps predict` for tasks without classes: a column for each output."""

import csv
import dataclasses

import numpy as np
import pytest

from dareps.commands.predict import predict
from dareps.engine.predict import load
from tests.engine._tasks import AGE, TAGS, Tasks, outcomes_of, register, run_on


@pytest.mark.parametrize(("task", "columns"), [(AGE, ["row", "age.0"]), (TAGS, ["row", "tags.0", "tags.1"])])
def test_a_column_for_each_output(task, columns, tmp_path, monkeypatch):
    class Toy(Tasks, abstract=True):
        tasks = (task,)

    register(monkeypatch, Toy)
    (outcome,) = outcomes_of([run_on(Toy(), engine={"selection": ["last"], "keep": "last"})], tmp_path)
    x = Toy().rows("b").x[:7]
    np.save(tmp_path / "rows.npy", x)
    predict(tmp_path / outcome.folder, tmp_path / "rows.npy", tmp_path / "out.csv", "cpu")
    with (tmp_path / "out.csv").open() as file:
        head, *rows = csv.reader(file)
    model = load(tmp_path / outcome.folder)
    expected = model.predict(x) if task is AGE else model.predict_proba(x)
    assert head == columns
    np.testing.assert_allclose([[float(cell) for cell in row[1:]] for row in rows], expected, rtol=1e-5)


def test_intervals_are_two_more_columns_and_what_cannot_be_promised_is_told(tmp_path, monkeypatch, capsys):
    class Toy(Tasks, abstract=True):
        tasks = (AGE,)

    register(monkeypatch, Toy)
    (outcome,) = outcomes_of([run_on(Toy(), engine={"selection": ["last"], "keep": "last"})], tmp_path)
    x = Toy().rows("b").x[:7]
    np.save(tmp_path / "rows.npy", x)
    for coverage, told in ((0.5, False), (0.999, True)):
        predict(tmp_path / outcome.folder, tmp_path / "rows.npy", tmp_path / "out.csv", "cpu", coverage)
        with (tmp_path / "out.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["row", "age.0", "low", "high"]
        assert all(float(row["low"]) <= float(row["age.0"]) <= float(row["high"]) for row in rows)
        assert (rows[0]["high"] == "inf") == told
        assert ("7 of 7 rows have no finite interval" in capsys.readouterr().err) == told


def test_several_numbers_have_ends_each(tmp_path, monkeypatch):
    class Toy(Tasks, abstract=True):
        tasks = (dataclasses.replace(AGE, size=2),)

        def rows(self, domain):
            found = super().rows(domain)
            return dataclasses.replace(found, y={"age": np.repeat(found.y["age"], 2, axis=1)})

    register(monkeypatch, Toy)
    (outcome,) = outcomes_of([run_on(Toy(), engine={"selection": ["last"], "keep": "last"})], tmp_path)
    np.save(tmp_path / "rows.npy", Toy().rows("b").x[:3])
    predict(tmp_path / outcome.folder, tmp_path / "rows.npy", tmp_path / "out.csv", "cpu", 0.5)
    head = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert head == "row,age.0,age.1,age.0.low,age.0.high,age.1.low,age.1.high"
