"""Tables of any length: read in pieces, and a uniform choice of their rows where there are many."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from dareps.data._roots import built_path, stamp, write_atomically
from dareps.data.own._kinds import as_numbers, as_text, compound
from dareps.errors import DataError
from dareps.maths.keys import key_of

if TYPE_CHECKING:
    import polars as pl

TEXT: Final = (".csv", ".tsv", ".txt", ".dat")
COLUMNS: Final = (".parquet", ".pq")
STEP: Final = 2**17
"""Rows of a Parquet file that are read together."""
EVEN: Final = 1024
"""Pieces have a multiple of so many rows, so that networks see the same batches as if all were one."""
TOGETHER: Final = 64 * EVEN
"""Rows that networks see together at most."""
KNOWN: Final = 1000
"""Different values of a column that are remembered; one of more has no classes."""
NUMBER: Final = "\x00row"
"""The column of a kept choice that says which rows it is."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What all cells of a column say.

    Attributes:
        gaps: How many are missing.
        strange: How many are text that is no number; `first` is where, `cell` what the first of them says.
        values: The different ones, sorted; None where they are more than can be classes.
    """

    gaps: int
    strange: int
    first: int
    cell: str
    values: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table, in its order.

    Attributes:
        numbers: Which rows they are, from 0; None for all.
        total: How many there are.
        facts: Column -> what all its cells say; empty where all rows are here.
    """

    frame: pl.DataFrame
    total: int
    numbers: np.ndarray | None = None
    facts: Mapping[str, Facts] = field(default_factory=dict)


def is_table(path: Path) -> bool:
    """Whether a file holds a table, by its ending."""
    return path.name.lower().removesuffix(".gz").endswith((*TEXT, *COLUMNS))


def batches(path: Path) -> Iterator[pl.DataFrame]:
    """A table in pieces of some megabytes, in its order.

    Raises:
        DataError: It cannot be read.
    """
    if path.name.lower().removesuffix(".gz").endswith(COLUMNS):
        return _parquet(path)
    from dareps.data.own._csv import csv_batches

    return csv_batches(path)


def even(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in pieces of multiples of 1024 but for the last one, none of more than 65,536."""
    import polars as pl

    rest: pl.DataFrame | None = None
    for frame in frames:
        rest = frame if rest is None or rest.height == 0 else pl.concat([rest, frame], rechunk=True)
        whole = rest.height // EVEN * EVEN
        for start in range(0, whole, TOGETHER):
            yield rest.slice(start, min(TOGETHER, whole - start))
        rest = rest.slice(whole)
    if rest is not None and rest.height:
        yield rest


def _parquet(path: Path) -> Iterator[pl.DataFrame]:
    import polars as pl

    try:
        lazy = pl.scan_parquet(path)
        height = lazy.select(pl.len()).collect().item()
        for start in range(0, height, STEP):
            yield _plain(lazy.slice(start, STEP).collect())
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(str(path), f"not a Parquet file ({first})", fix="Write it again.") from None
    if height == 0:
        raise DataError(str(path), "the table has no rows", fix="Add rows.")


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """A table with its categories as text."""
    import polars as pl

    listed = [own.name for own in frame if isinstance(own.dtype, pl.Categorical | pl.Enum)]
    return frame.with_columns(pl.col(listed).cast(pl.String)) if listed else frame


def table(path: Path, limit: int, column: str = "", value: str = "") -> Table:
    """At most `limit` rows of a table, each as likely as any other; the same ones in every process.

    Args:
        path: The file.
        limit: How many are taken; where there are no more, all are.
        column: Only rows with this `value` in it count; all without one.
        value: See there.

    Raises:
        DataError: The file cannot be read.
    """
    name = f"rows-{stamp(path)}-{limit}-{key_of(column, value) % 2**32:08x}"
    kept = _restored(name)
    if kept is None:
        kept, height = _chosen(path, limit, column, value)
        if height > limit:
            _keep(name, kept)
    return kept


def _chosen(path: Path, limit: int, column: str, value: str) -> tuple[Table, int]:
    """The rows, and how many the file has."""
    choice, height = Choice(limit), 0
    for frame in batches(path):
        numbers = np.arange(height, height + frame.height)
        height += frame.height
        if column:
            here = (as_text(frame[column]) == value).fill_null(value=False)
            frame, numbers = frame.filter(here), numbers[here.to_numpy()]
        choice.add(frame, numbers)
    return choice.table(), height


class Choice:
    """A uniform choice of at most `limit` rows out of all that are added, in their order.

    Every row draws a key, and the rows of the least keys are kept: how rows come in pieces makes no difference.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.total, self.bound = limit, 0, np.inf
        self.draws = keyed_draws()
        self.frames: list[pl.DataFrame] = []
        self.numbers: list[np.ndarray] = []
        self.keys: list[np.ndarray] = []
        self.counted: dict[str, _Counted] = {}

    def add(self, frame: pl.DataFrame, numbers: np.ndarray) -> None:
        """Take note of rows, and which ones they are."""
        import polars as pl

        keys = self.draws.random(frame.height)
        self.total += frame.height
        if self.bound < np.inf:
            self._count(frame, numbers)
            picked = keys < self.bound
            frame, numbers, keys = frame.filter(pl.Series(picked)), numbers[picked], keys[picked]
        self.frames.append(frame)
        self.numbers.append(numbers)
        self.keys.append(keys)
        if sum(map(len, self.keys)) > 2 * self.limit:
            self._thin()

    def table(self) -> Table:
        """The choice of all rows so far."""
        import polars as pl

        if self.total > self.limit:
            self._thin()
        frame = pl.concat(self.frames, rechunk=True)
        if self.total <= self.limit:
            return Table(frame, self.total)
        return Table(frame, self.total, self.numbers[0], {name: own.facts() for name, own in self.counted.items()})

    def _thin(self) -> None:
        import polars as pl

        if not self.counted:
            for own, rows in zip(self.frames, self.numbers, strict=True):
                self._count(own, rows)
        frame, numbers, keys = pl.concat(self.frames), np.concatenate(self.numbers), np.concatenate(self.keys)
        kept = least(keys, self.limit)
        self.bound = keys[kept].max()
        self.frames, self.numbers, self.keys = [frame[kept]], [numbers[kept]], [keys[kept]]

    def _count(self, frame: pl.DataFrame, numbers: np.ndarray) -> None:
        for cells in frame:
            self.counted.setdefault(cells.name, _Counted()).add(cells, numbers)


def keyed_draws() -> np.random.Generator:
    """Draws for rows in their order: the same ones for every domain, file and process."""
    return np.random.Generator(np.random.Philox(key=key_of("own rows") % 2**64))


def least(keys: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` least keys (n,), in order; all where there are no more."""
    return np.sort(np.argpartition(keys, count)[:count]) if count < len(keys) else np.arange(len(keys))


@dataclass(slots=True)
class _Counted:
    """What the cells of a column that came so far say; see `Facts`."""

    gaps: int = 0
    strange: int = 0
    first: int = -1
    cell: str = ""
    values: set[str] | None = field(default_factory=set)

    def add(self, cells: pl.Series, numbers: np.ndarray) -> None:
        """Take note of cells, and of which rows they are."""
        import polars as pl

        if compound(cells) or cells.dtype.is_temporal():
            self.gaps, self.values = self.gaps + cells.null_count(), None
            return
        if self.values is not None and cells.head(4 * KNOWN).n_unique() > KNOWN:
            self.values = None
        if self.values is not None:
            self.values.update(as_text(cells).drop_nulls().unique().to_list())
            self.values = self.values if len(self.values) <= KNOWN else None
        found = as_numbers(cells)
        bad = (cells.is_not_null() & found.is_null()).arg_true() if cells.dtype.is_(pl.String) else cells.head(0)
        self.gaps += found.null_count() - len(bad)
        if len(bad) and not self.strange:
            self.first, self.cell = int(numbers[bad[0]]), str(cells[int(bad[0])])
        self.strange += len(bad)

    def facts(self) -> Facts:
        """What all of them say."""
        values = None if self.values is None else tuple(sorted(self.values))
        return Facts(self.gaps, self.strange, self.first, self.cell, values)


def _keep(name: str, kept: Table) -> None:
    """Put a choice into the user's cache, for other processes; without one, each reads the file anew."""
    import polars as pl

    numbers = np.arange(kept.total) if kept.numbers is None else kept.numbers
    frame = kept.frame.with_columns(pl.Series(NUMBER, numbers))
    told = json.dumps({"total": kept.total, "facts": {key: asdict(own) for key, own in kept.facts.items()}}).encode()

    def tell(file: BinaryIO) -> None:
        file.write(told)

    if write_atomically(built_path(f"{name}.parquet"), frame.write_parquet):
        write_atomically(built_path(f"{name}.json"), tell)


def _restored(name: str) -> Table | None:
    import polars as pl

    try:
        told = json.loads(built_path(f"{name}.json").read_bytes())
        frame = pl.read_parquet(built_path(f"{name}.parquet"))
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None
    facts = {key: Facts(**{**own, "values": _several(own["values"])}) for key, own in told["facts"].items()}
    numbers = frame[NUMBER].to_numpy() if frame.height < told["total"] else None
    return Table(frame.drop(NUMBER), told["total"], numbers, facts)


def _several(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
