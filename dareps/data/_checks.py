"""Raw rows are checked once, where they enter: shapes, finite features, labels of each task's kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dareps.data._base import Dataset, DomainRows
from dareps.errors import DataError
from dareps.tasks import kind_of
from dareps.types import Task


def checked_rows(dataset: Dataset, domain: str) -> DomainRows:
    """A domain's rows with labels as their tasks' kinds have them, after all checks.

    Raises:
        DataError: Rows are missing, not finite, or do not match their labels.
    """
    rows, where = dataset.rows(domain), f"data {dataset.name}/{domain}"
    y = check_labelled(where, dataset.tasks, rows.x, rows.y)
    check_validation(where, rows)
    if rows.test_x is None or rows.test_y is None:
        return replace(rows, y=y)
    test_y = check_labelled(f"{where} test", dataset.tasks, rows.test_x, rows.test_y)
    if rows.test_x.shape[1:] != rows.x.shape[1:]:
        shapes = (rows.x.shape[1:], rows.test_x.shape[1:])
        raise DataError(where, "train and test rows have different shapes", shapes, "Give all rows one shape.")
    return replace(rows, y=y, test_y=test_y)


def check_labelled(
    where: str, tasks: tuple[Task, ...], x: np.ndarray, y: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Check features (n, *shape) against labels of every task; returns the labels as kinds have them."""
    if x.ndim < 2 or len(x) == 0:
        raise DataError(where, "expected rows of features (n, ...)", x.shape, "Give at least one row.")
    check_finite(where, x)
    return {task.name: _labels(where, task, y, len(x)) for task in tasks}


def check_validation(where: str, rows: DomainRows) -> None:
    """Raise `DataError` unless official validation rows are some of the rows, but not all, and none twice."""
    if rows.validation is None:
        return
    number, n = np.asarray(rows.validation), len(rows.x)
    known = number.dtype.kind in "iu" and number.ndim == 1 and len(np.unique(number)) == len(number)
    if not known or not 0 < len(number) < n or number.min() < 0 or number.max() >= n:
        fix = f"Give numbers from 0 to {n - 1}, none of them twice, and leave rows to train on."
        raise DataError(where, "official validation rows must be numbers of some rows", number.tolist()[:9], fix)


def check_finite(where: str, x: np.ndarray) -> None:
    """Raise `DataError` with the first row that holds NaN or infinity."""
    # A sum is finite only if all its terms are, and one sum is cheaper than a mask as large as the data.
    if x.dtype.kind not in "fc" or np.isfinite(x.sum(dtype=np.float64)):
        return
    bad = ~np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if bad.any():
        what = f"{int(bad.sum())} of {len(x)} rows hold NaN or infinite features, the first is row"
        raise DataError(where, what, int(bad.argmax()), "Remove or impute them.")


def check_input(where: str, x: np.ndarray) -> None:
    """Raise `DataError` unless x is network input: uint8 or finite float32."""
    if x.dtype not in (np.uint8, np.float32):
        raise DataError(where, "network input must be float32 or uint8", str(x.dtype), "Convert it in fit().")
    check_finite(where, x)


def _labels(where: str, task: Task, y: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    if task.name not in y:
        raise DataError(where, "labels of a task are missing", task.name, "Give labels for every task.")
    labels = np.asarray(y[task.name])
    if labels.ndim == 0 or len(labels) != n:
        raise DataError(where, f"expected {n} labels of task {task.name}", labels.shape, "Give one label per row.")
    return kind_of(task).check(where, task, labels)
