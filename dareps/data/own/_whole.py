"""What all rows of a file say where only some of them are learned from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dareps.data.own._rows import Loaded, loaded, unfit
from dareps.data.own.description import Description
from dareps.errors import DataError

Rows = Mapping[str, Sequence[Loaded]]
SAY: Final = "--rows N, or `rows: N` of a description, sets how many"
SHOWN: Final = 5
"""Labels that are named where there are more."""


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


def sources(description: Description, rows: Rows) -> Rows:
    """Those of domains whose labels say what tasks are."""
    return {name: files for name, files in rows.items() if name not in description.targets}


def unlabelled(description: Description, rows: Rows) -> Iterator[str]:
    """Which labels of targets count as missing since they do not fit what the sources say."""
    for task, asked in description.tasks.items():
        why = "no numbers" if asked.kind == "regression" else "no classes of the source"
        for name in description.targets:
            columns = [own.labels[task] for own in rows[name] if task in own.labels]
            strange = [cell for own in columns for cell in own.filter(unfit(asked, own)).to_list()]
            if strange:
                texts = list(dict.fromkeys(textwrap.shorten(str(cell), 30, placeholder="...") for cell in strange))
                shown = ", ".join(texts[:SHOWN]) + (", ..." if len(texts) > SHOWN else "")
                count = f"{len(strange):,} of {sum(map(len, columns)):,} rows"
                yield f"label {task}: {count} of {name} count as unlabelled, their labels are {why}: {shown}"


def check_numbers(where: str, name: str, rows: Rows) -> None:
    """Refuse a column of numbers with a cell that is none in a row that is not learned from.

    Raises:
        DataError: There is one.
    """
    for domain, files in rows.items():
        for own in files:
            facts = own.facts.get(name)
            if facts is not None and facts.strange:
                place = f"the first in row {facts.first} (from 0) of {domain}"
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
