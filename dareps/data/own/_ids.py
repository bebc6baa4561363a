"""Columns that say which row it is, and nothing of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from dareps.data.own._kinds import as_numbers, as_text
from dareps.data.own._rows import Loaded

if TYPE_CHECKING:
    import polars as pl

NAMES: Final = re.compile(r"(.*[_\W])?(id|ids|uuid|guid|key|index|idx|rownum|row_?(id|nr|number))$", re.IGNORECASE)
"""What such columns are called."""
CAMEL: Final = re.compile(r".*[a-z]I[Dd]$")
FEW: Final = 10
"""So many different values may be a coincidence."""
DENSE: Final = 20
"""So many different whole numbers out of as many are none: at random, fewer than one set in ten million is."""
ROOM: Final = 1.01
"""Numbers of rows leave so little out."""


def names_rows(name: str, files: Sequence[Loaded]) -> str:
    """Why a column says nothing but which row it is, in every file that has it; empty where it may say more."""
    reasons = [_reason(name, own.labels[name], own) for own in files if name in own.labels]
    return reasons[0] if reasons and all(reasons) else ""


def _reason(name: str, column: pl.Series, own: Loaded) -> str:
    cells = column.drop_nulls()
    if len(cells) < FEW or cells.n_unique() < len(cells):
        return ""
    numbers = as_numbers(column)
    if numbers.null_count() > column.null_count():
        return "it names rows: its texts are all different" if len(as_text(cells).unique()) == len(cells) else ""
    values = numbers.to_numpy()
    if own.thinned and own.numbers is not None and len(set(values - own.numbers)) == 1:
        return "it counts rows"
    known = values[np.isfinite(values)]
    if (known % 1).any():
        return ""
    if len(known) >= DENSE and known.max() - known.min() < ROOM * own.total:
        return "it numbers rows: each number is there once"
    called = NAMES.match(name) or CAMEL.match(name)
    return "it names rows: by its name, and its numbers are all different" if called else ""
