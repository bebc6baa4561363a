"""`dareps predict` for tasks without classes: a column for each output."""

import csv

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
