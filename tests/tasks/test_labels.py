"""Labels as data gives them: what is allowed for each kind, and what is refused with domain, task and row."""

import math

import numpy as np
import pytest

from dareps.data._base import DomainRows
from dareps.data._checks import checked_rows
from dareps.data.split import make_split
from dareps.errors import DataError
from dareps.types import Task
from tests.data._drawn import Drawn

KIND, AGE, TAGS = Task("kind", "classification", 3), Task("age", "regression", 1), Task("tags", "multilabel", 2)
POSE = Task("pose", "regression", 2)
NAN = math.nan


def dataset(task, labels):
    class Given(Drawn, abstract=True):
        tasks = (task,)

    rows = DomainRows(np.ones((len(labels), 1), dtype=np.float32), {task.name: labels})
    Given.given = dict.fromkeys("abc", rows)
    return Given()


def checked(task, labels):
    return checked_rows(dataset(task, np.asarray(labels)), "a").y[task.name]


@pytest.mark.parametrize(
    ("task", "labels", "expected"),
    [
        (KIND, [0, -1, 2], [0, -1, 2]),
        (KIND, [0, -7, 2], [0, -1, 2]),
        (KIND, [0.0, -1.0, 2.0], [0, -1, 2]),
        (KIND, np.array([0, 1, 2], dtype=np.uint8), [0, 1, 2]),
        (AGE, [1.5, NAN, -3], [[1.5], [NAN], [-3.0]]),
        (AGE, [[1], [2], [3]], [[1.0], [2.0], [3.0]]),
        (POSE, [[1, 2], [NAN, 3], [4, 5]], [[1, 2], [NAN, 3], [4, 5]]),
        (TAGS, [[0, 1], [1, NAN], [NAN, NAN]], [[0, 1], [1, NAN], [NAN, NAN]]),
        (TAGS, [[True, False]] * 3, [[1, 0]] * 3),
    ],
)
def test_what_is_allowed_becomes_one_form(task, labels, expected):
    found = checked(task, labels)
    np.testing.assert_array_equal(found, np.array(expected))
    assert found.dtype == (np.int64 if task is KIND else np.float64)


@pytest.mark.parametrize(
    ("task", "labels", "row", "message"),
    [
        (KIND, [0, 3, 1], 1, "task kind lies outside the classes, got 3"),
        (KIND, [0, 1, 0.5], 2, "outside the classes, got 0.5"),
        (KIND, [-1.5, 1, 0], 0, r"outside the classes, got -1\.5"),
        (KIND, [0, NAN, 1], 1, "outside the classes, got nan"),
        (KIND, [0, -np.inf, 1], 1, "outside the classes, got -inf"),
        (AGE, [0, 1, np.inf], 2, "task age is infinite, got inf"),
        (POSE, [[0, 1], [2, -np.inf], [1, 1]], 1, "task pose is infinite, got -inf"),
        (TAGS, [[0, 1], [0.5, 1], [1, 1]], 1, r"task tags is neither 0 nor 1, got 0\.5"),
        (TAGS, [[0, 1], [1, 1], [1, -1]], 2, r"neither 0 nor 1, got -1"),
        (TAGS, [[0, 1], [1, np.inf], [1, 0]], 1, r"neither 0 nor 1, got inf"),
    ],
)
def test_what_is_refused_names_domain_task_and_row(task, labels, row, message):
    with pytest.raises(DataError, match=rf"drawn/a row {row}: a label of .*{message}"):
        checked(task, labels)


@pytest.mark.parametrize(
    ("task", "labels", "message"),
    [
        (KIND, [[0], [1], [2]], "class labels of task kind must be a list of numbers"),
        (KIND, ["x", "y", "z"], "class labels of task kind must be a list of numbers"),
        (AGE, ["x", "y", "z"], "labels of task age must be numbers, 1 a row"),
        (POSE, [1.0, 2.0, 3.0], r"labels of task pose must be numbers, 2 a row, got \(3,\)"),
        (TAGS, [[0, 1, 1]] * 3, r"labels of task tags must be numbers, 2 a row, got \(3, 3\)"),
        (AGE, [1 + 1j, 2, 3], "labels of task age must be numbers"),
    ],
)
def test_labels_of_another_shape_are_one_message(task, labels, message):
    with pytest.raises(DataError, match=message):
        checked(task, labels)


def test_the_scale_comes_from_source_train_labels_alone():
    def split(target):
        class Given(Drawn, abstract=True):
            tasks = (AGE,)

        source = DomainRows(np.ones((20, 1), dtype=np.float32), {"age": np.arange(20.0)})
        other = DomainRows(np.ones((20, 1), dtype=np.float32), {"age": target})
        Given.given = {"a": source, "b": other}
        return make_split(Given(), ("a",), ("b",), 0)

    one, other = split(np.arange(20.0)), split(np.full(20, 1e6))
    train = one.source_train[0].y["age"]
    assert one.scales["age"].mean == other.scales["age"].mean == pytest.approx(train.mean())
    assert one.scales["age"].spread == other.scales["age"].spread == pytest.approx(train.std())
    np.testing.assert_allclose(one.in_units("age", one.scales["age"].standardise(train)), train)
