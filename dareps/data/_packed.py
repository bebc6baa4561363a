"""Rows of different forms side by side in one matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dareps.data._base import Dataset
from dareps.data._checks import check_finite
from dareps.errors import ContractError, DataError

Form = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows of a domain -> (n, width) float32, each flattened, zeros behind what it holds.

    Rows have the domain's form, or are flattened already, with or without the zeros.

    Attributes:
        dataset: Whose rows these are, for errors.
        forms: Domain -> shape of one row.
        limits: Domain -> smallest and largest value, where that is known.
    """

    dataset: str
    forms: Mapping[str, Form]
    limits: Mapping[str, tuple[float, float]]

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """Check and copy; raises `DataError` for rows of another form."""
        where, form = f"data {self.dataset}/{domain}", self.forms[domain]
        size, full = math.prod(form), width(self.forms)
        flat = x.reshape(len(x), -1)
        if x.shape[1:] not in (form, (size,), (full,)) or flat[:, size:].any():
            fix = f"Give (n, {', '.join(map(str, form))}), or the same flattened, (n, {size})."
            raise DataError(where, "rows of another form", x.shape, fix)
        check_finite(where, flat)
        low, high = self.limits.get(domain, (-math.inf, math.inf))
        if len(x) and not low <= flat.min() <= flat.max() <= high:
            found = [float(flat.min()), float(flat.max())]
            raise DataError(where, f"values must lie from {low:g} to {high:g}", found, "Scale the rows.")
        packed = np.zeros((len(x), full), dtype=np.float32)
        packed[:, :size] = flat[:, :size]
        return packed


def width(forms: Mapping[str, Form]) -> int:
    """Values in the widest form."""
    return max(math.prod(form) for form in forms.values())


def check_forms(dataset: Dataset, inputs: Mapping[str, np.ndarray]) -> None:
    """Raise `ContractError` unless network input of each domain is as the dataset's forms promise; none promise all."""
    where, forms = f"data {dataset.name}", dataset.forms
    for domain, x in inputs.items() if forms else ():
        if domain not in forms:
            raise ContractError(where, "forms leave out a domain", domain, "Give the form of every domain.")
        if x.dtype != np.float32 or x.shape[1:] != (width(forms),):
            fix = f"Flatten rows and fill them up with zeros, as FormedSet does: (n, {width(forms)}) float32."
            raise ContractError(f"{where}/{domain}", "input of other forms", (str(x.dtype), x.shape), fix)
