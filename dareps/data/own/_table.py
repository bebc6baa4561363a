"""What is fitted to the columns of a table: imputed, transformed and scaled numbers, a block for each category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dareps.data.own._columns import BESIDE, Column
from dareps.data.own._numbers import SCALED, TRANSFORMS, logarithms, normal_scores, points_of
from dareps.errors import DataError

SHARED: Final = ("known", "gaps")
"""What all domains share where the rest is fitted to each by itself: which places of a row are in use."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Raw rows (n, 2 d) -> network input (n, e) float32: numbers, marks of gaps, a block of places for each category.

    Numbers are transformed; missing ones become the median; then they are shifted and scaled. A mark is 1 where a
    number is missing that was so in train rows, too. A block of k categories has k + 2 places: one for each, one for
    all others, one for a missing one. A category that train rows do not have counts as another one. What train rows
    have nothing of leaves its place at 0, so that no weight acts that was never trained.

    Attributes:
        names: Of the columns, for errors.
        sizes: Categories of each column, 0 for numbers, (d,).
        kinds: Number of each column's transform, (d,).
        marked: Whether a number has a place for gaps, (d,).
        medians: By column, behind its transform, (d,); means and scales likewise.
        known: For each place of each block in order, whether train rows use it.
        gaps: Whether train rows have gaps, (d,).
        points: Values that ranks are taken among, one column's behind another's; `counts` of each column, (d,).
    """

    where: str
    names: tuple[str, ...]
    sizes: np.ndarray
    kinds: np.ndarray
    marked: np.ndarray
    medians: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    known: np.ndarray
    gaps: np.ndarray
    points: np.ndarray
    counts: np.ndarray

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """The transformed rows."""
        values, missing = self._cut(x)
        numbers = np.flatnonzero(self.sizes == 0)
        marks = np.flatnonzero((self.sizes == 0) & (self.marked > 0))
        start = len(numbers) + len(marks)
        rows = np.zeros((len(x), start + len(self.known)), dtype=np.float32)
        filled = np.where(missing, self.medians, self.scored(values, missing))[:, numbers]
        rows[:, : len(numbers)] = (filled - self.means[numbers]) * self.scales[numbers]
        rows[:, len(numbers) : start] = missing[:, marks] & (self.gaps[marks] > 0)
        places = self._places(values, missing)
        used = places >= 0
        rows[np.nonzero(used)[0], start + places[used]] = 1
        return rows

    def _cut(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (n, d), and where they are missing."""
        count = len(self.sizes)
        if x.ndim != 2 or x.shape[1] != 2 * count:
            what = f"expected rows of {count} values and {count} marks of missing ones"
            raise DataError(self.where, what, x.shape, "Give them as the dataset does.")
        return x[:, :count], x[:, count:] > 0

    def scored(self, values: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Numbers (n, d) behind their transforms; 0 where one is missing."""
        found, ends = np.array(values, dtype=np.float64), np.cumsum(self.counts)
        for place, kind in enumerate(self.kinds):
            there = ~missing[:, place]
            if TRANSFORMS[kind] == "log":
                found[there, place] = logarithms(f"{self.where}, column {self.names[place]}", found[there, place])
            if TRANSFORMS[kind] == "rank":
                points = self.points[ends[place] - self.counts[place] : ends[place]]
                found[there, place] = normal_scores(found[there, place], points)
        return found

    def _places(self, values: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Places (n, columns of categories) among those of all blocks; -1 where none is in use."""
        places = np.full((len(values), int((self.sizes > 0).sum())), -1)
        start = 0
        for number, column in enumerate(np.flatnonzero(self.sizes > 0)):
            size = self.sizes[column]
            known = self.known[start : start + size + BESIDE] > 0
            own = own_places(values[:, column], missing[:, column], size)
            own = np.where(known[own] | missing[:, column], own, size)
            places[:, number] = np.where(known[own], start + own, -1)
            start += size + BESIDE
        return places

    def state(self) -> dict[str, np.ndarray]:
        """The arrays that rebuild it."""
        return {name: getattr(self, name) for name in STATE}


STATE: Final = tuple(name for name in Columns.__slots__ if name not in ("where", "names"))


def own_places(codes: np.ndarray, missing: np.ndarray, size: int) -> np.ndarray:
    """Places (n,) in a column's block, before it is asked which are in use."""
    listed = (codes >= 0) & (codes < size)
    return np.where(missing, size + 1, np.where(listed, codes, size)).astype(np.int64)


def fit_columns(where: str, columns: Sequence[Column], x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state that train rows (n, 2 d) of these domains together give."""
    rows = np.concatenate(list(x.values()))
    count = len(columns)
    values, missing = rows[:, :count], rows[:, count:] > 0
    kinds = np.asarray([TRANSFORMS.index(own.transform) for own in columns])
    points = [_points(own, values[~missing[:, place], place]) for place, own in enumerate(columns)]
    blank = np.zeros(count)
    plain = Columns(
        where,
        tuple(own.name for own in columns),
        np.asarray([len(own.categories) for own in columns], np.int64),
        kinds,
        np.asarray([own.marked for own in columns], np.uint8),
        *(blank, blank, blank),
        np.concatenate([np.zeros(0, np.uint8), *_used(columns, values, missing)]),
        np.asarray(missing.any(axis=0), np.uint8),
        np.concatenate([np.zeros(0), *points]),
        np.asarray([len(own) for own in points], np.int64),
    )
    return plain.state() | _moments(columns, plain.scored(values, missing), missing)


def _points(column: Column, values: np.ndarray) -> np.ndarray:
    return points_of(values) if column.transform == "rank" else np.zeros(0)


def _used(columns: Sequence[Column], values: np.ndarray, missing: np.ndarray) -> list[np.ndarray]:
    """Which places of each block rows use."""
    sizes = {place: len(own.categories) for place, own in enumerate(columns) if own.categories}
    blocks = {place: own_places(values[:, place], missing[:, place], size) for place, size in sizes.items()}
    return [(np.bincount(own, minlength=sizes[place] + BESIDE) > 0).astype(np.uint8) for place, own in blocks.items()]


def _moments(columns: Sequence[Column], values: np.ndarray, missing: np.ndarray) -> dict[str, np.ndarray]:
    """Medians of what is there; means and reciprocal deviations of it with gaps filled, 0 and 1 where not scaled."""
    medians = np.asarray([_median(values[~missing[:, place], place]) for place in range(len(columns))])
    filled = np.where(missing, medians, values)
    deviation = np.where(filled.max(axis=0) > filled.min(axis=0), filled.std(axis=0), 0.0)
    scales = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    scaled = np.asarray([own.transform in SCALED for own in columns])
    means = np.where(scaled, filled.mean(axis=0), 0.0)
    return {"medians": medians, "means": means, "scales": np.where(scaled, scales, 1.0)}


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0


def check_varies(where: str, columns: Sequence[Column], x: Mapping[str, np.ndarray]) -> None:
    """Refuse train rows (n, 2 d) of all domains in which no column varies.

    Raises:
        DataError: There is nothing to learn from.
    """
    rows = np.concatenate(list(x.values()))
    if not (rows.max(axis=0) > rows.min(axis=0)).any():
        raise DataError(where, "no column varies among the train rows", len(columns), "Give columns that say more.")
