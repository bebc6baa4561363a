"""What the scores accept: rows and labels as arrays of the host, or an error that says which row is at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from dareps.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

Values: TypeAlias = "ArrayLike | Tensor"


def as_array(where: str, values: Values) -> np.ndarray:
    """An array of numbers; a tensor may be on any device, of any precision, and with a gradient."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        # numpy has no bfloat16.
        values = values.double() if values.is_floating_point() else values
    fix = "Give an array or a tensor of numbers."
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(where, f"not an array ({error})", fix=fix) from error
    if array.dtype.kind not in "biuf":
        raise DataError(where, "not numbers", str(array.dtype), fix)
    return array


def rows_of(where: str, values: Values) -> np.ndarray:
    """Finite rows (n, d) as float64, with n and d at least 1."""
    rows = as_array(where, values)
    if rows.ndim != 2 or not rows.size:
        raise DataError(where, "expected a row of numbers per example, (n, d)", rows.shape, "Flatten each to a row.")
    _refuse(where, rows, ~np.isfinite(rows), "not a finite number", "Check the model and the rows it was given.")
    return rows.astype(np.float64)


def features_of(name: str, values: Values) -> np.ndarray:
    """Features (n, d) that differ between rows, divided by a power of 2 so that the largest is near 1.

    No score depends on the unit of the features, and so their squares neither overflow nor vanish.
    """
    rows = rows_of(f"{name} features", values)
    if (rows == rows[0]).all():
        fix = "Features that do not vary say nothing of any label; check the model and the rows."
        raise DataError(f"{name} features", "all rows are the same", len(rows), fix)
    return np.asarray(np.ldexp(rows, -int(np.frexp(np.abs(rows).max())[1])))


def classes_of(name: str, values: Values, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (n,) of labels (n,) in the list of classes that occur, and how many rows each has; at least two classes.

    Classes are counted by occurrence and not up to the largest number, which would score empty ones too.
    """
    where = f"{name} labels"
    labels = class_numbers(where, values, n)
    classes, places, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise DataError(where, "all rows have one class", classes[0].item(), "Give rows of at least two classes.")
    return places, sizes


def class_numbers(where: str, values: Values, n: int) -> np.ndarray:
    """One whole number from 0 on for each of n rows."""
    numbers = as_array(where, values)
    if numbers.shape != (n,):
        raise DataError(where, f"expected one class for each of {n} rows", numbers.shape, f"Give shape ({n},).")
    whole = (numbers >= 0) & np.isfinite(numbers) & (numbers == np.floor(numbers))
    _refuse(where, numbers, ~whole, "not a class number from 0 on", "Leave out the rows whose class is missing.")
    return numbers


def numbers_of(name: str, values: Values, n: int) -> np.ndarray:
    """Regression targets (n, k) as float64, each column of which varies; a list (n,) is one column."""
    where = f"{name} labels"
    numbers = as_array(where, values)
    columns = rows_of(where, numbers[:, None] if numbers.ndim == 1 else numbers)
    if len(columns) != n:
        raise DataError(where, f"expected labels for {n} rows", numbers.shape, "Give one row of labels per row.")
    flat = (columns == columns[0]).all(axis=0)
    if flat.any():
        what, fix = "a target does not vary, column", "Leave it out, or give rows among which it does."
        raise DataError(where, what, int(flat.argmax()), fix)
    return columns


def predictions_of(name: str, values: Values) -> np.ndarray:
    """Probabilities (n, z) as float64, with rows that sum to 1 exactly where those given do up to rounding."""
    where = f"{name} predictions"
    rows = rows_of(where, values)
    fix = "Give the softmax of the logits."
    _refuse(where, rows, rows < 0, "a probability below 0", fix)
    sums = rows.sum(axis=1)
    # Half precision over many classes rounds a sum by up to a percent.
    _refuse(where, sums, np.abs(sums - 1) > 0.01, "probabilities that do not sum to 1, their sum", fix)
    return np.asarray(rows / sums[:, None])


def class_sums(rows: np.ndarray, places: np.ndarray, classes: int) -> np.ndarray:
    """Sums (classes, k) of the rows (n, k) of each class."""
    from scipy.sparse import csr_array

    entries = np.ones(len(rows)), (places, np.arange(len(rows)))
    return np.asarray(csr_array(entries, shape=(classes, len(rows))) @ rows)


def _refuse(where: str, values: np.ndarray, bad: np.ndarray, what: str, fix: str) -> None:
    """Raise `DataError` with the first row and value that is `bad`."""
    if bad.any():
        place = np.unravel_index(bad.argmax(), bad.shape)
        raise DataError(f"{where} row {place[0]}", what, values[place].item(), fix)
