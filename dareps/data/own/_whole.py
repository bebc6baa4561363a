"""What all rows of a file say where only some of them are learned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dareps.data.own._rows import Loaded, loaded
from dareps.data.own.description import Description
from dareps.errors import DataError

Rows = Mapping[str, Sequence[Loaded]]
SAY: Final = "--rows N, or `rows: N` of a description, sets how many"


def counts(rows: Rows) -> Iterator[str]:
    """How many rows each domain has, and of how many of them is learned."""
    yield "rows: " + ", ".join(f"{name} {sum(own.total for own in files):,}" for name, files in rows.items())
    for name, files in rows.items():
        if any(own.thinned for own in files):
            told = f"{sum(map(len, files)):,} of its {sum(own.total for own in files):,} rows"
            yield f"{name}: learns from {told}, a uniform choice that is the same for every seed; {SAY}"


def thinned(description: Description) -> Iterator[str]:
    """The same of domains of which not all rows are learned from."""
    yield from list(counts(every(description)))[1:]


def every(description: Description) -> Rows:
    """The rows of all domains, by file."""
    return {
        name: [loaded(name, description, file) for file in (place.file, place.test) if file]
        for name, place in description.domains.items()
    }


def values_of(rows: Rows, name: str) -> set[str]:
    """Different texts in a label's column, of all rows; of those learned from where there are too many for classes."""
    known = (own.facts.get(name) for files in rows.values() for own in files)
    return {value for facts in known if facts is not None for value in facts.values or () if value}


def check_numbers(where: str, name: str, rows: Rows) -> None:
    """Refuse a column of numbers with a cell that is none in a row that is not learned from.

    Raises:
        DataError: There is one.
    """
    for domain, files in rows.items():
        for own in files:
            facts = own.facts.get(name)
            if facts is not None and facts.strange:
                place = f"the first in row {facts.first + 1} of {domain}"
                what = f"{facts.strange} of {own.total} cells are no numbers, {place}"
                fix = "Mend them, leave them empty, or say that the column is a category or to be ignored."
                raise DataError(f"{where}, column {name}", what, facts.cell, fix)


def gaps(description: Description, rows: Rows) -> Iterator[str]:
    """How many cells are missing in the columns that are learned from, by domain and of all rows."""
    for domain, files in rows.items():
        found = {
            name: sum(own.facts[name].gaps if own.facts else _missing(own, name) for own in files)
            for name, wanted in description.columns.items()
            if wanted.kind != "ignore"
        }
        told = [f"{name} {count:,}" for name, count in found.items() if count]
        if told:
            more = f" and {len(told) - 12} more columns" if len(told) > 12 else ""
            yield f"missing in {domain}: {', '.join(told[:12])}{more}"


def _missing(own: Loaded, name: str) -> int:
    from dareps.data.own._kinds import as_numbers

    cells = own.labels[name]
    return as_numbers(cells).null_count() if cells.dtype.is_numeric() else cells.null_count()
