"""Text tables as they come: separators, headers, decimal commas, encodings and packing are found out."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dareps.data.own._blocks import LONGEST, text_blocks, whole_records
from dareps.errors import DataError

if TYPE_CHECKING:
    import _csv

    import polars as pl

MISSING: Final = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?")
"""Cells that are read as missing."""
SEPARATORS: Final = ",;\t|"
LOOK: Final = 2**20
"""Characters that they are looked for in."""
OTHERS: Final = "^:~ "
"""What may cut lines as well, and is not guessed."""
SAMPLE: Final = 200
"""Lines that the separator and the header are judged by."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text is a table.

    Attributes:
        names: Those of the columns.
        header: Whether the first line holds them.
    """

    path: Path
    separator: str
    names: tuple[str, ...]
    header: bool

    def frame(self, text: str, first: bool, line: int) -> pl.DataFrame:
        """Whole lines as a table with every cell as text or missing.

        Args:
            text: The lines.
            first: Whether they begin the file.
            line: How many are before them.
        """
        import polars as pl

        header = first and self.header
        full = text if len(self.names) == 1 else without_empty_lines(text)
        try:
            frame = pl.read_csv(
                io.BytesIO(full.encode()),
                separator=self.separator,
                has_header=header,
                infer_schema=False,
                null_values=list(MISSING),
            )
        except pl.exceptions.NoDataError:
            return pl.DataFrame(schema=dict.fromkeys(self.names, pl.String))
        except pl.exceptions.PolarsError as error:
            told = self._uneven(text, line) or _odd_quote(text, line) or str(error).strip().splitlines()[0]
            raise DataError(str(self.path), f"not a table ({told})", fix=self._fix) from None
        told = "" if self._even(full, frame, header) else self._uneven(text, line)
        if told:
            raise DataError(str(self.path), told, fix=self._fix)
        frame.columns = list(self.names)
        return frame

    @property
    def _fix(self) -> str:
        return f"Lines must have one number of cells each, separated by {self.separator!r}."

    def _even(self, text: str, frame: pl.DataFrame, header: bool) -> bool:
        """Whether counts alone show that no line is short, which the reader would fill up: it refuses longer ones."""
        width = len(self.names)
        count = (width - 1) * (frame.height + header)
        return frame.width == width and '"' not in text and text.count(self.separator) == count

    def _uneven(self, text: str, line: int) -> str:
        """Which line has another number of cells, if any."""
        rows = _cells(io.StringIO(text, newline=""), self.separator)
        for row in rows:
            if row and len(row) != len(self.names):
                return f"line {line + rows.line_num} has {len(row)} cells, the first has {len(self.names)}"
        return ""


def without_empty_lines(text: str) -> str:
    """The text without lines that hold nothing, but for those inside of quotes."""
    if "\n\n" not in text and not text.startswith("\n"):
        return text
    kept, quotes = [], 0
    for line in text.split("\n"):
        if line or quotes % 2:
            kept.append(line)
        quotes += line.count('"')
    return "\n".join(kept)


def _odd_quote(text: str, line: int) -> str:
    """The first line with a quote that has no partner, if any."""
    odd = (number for number, own in enumerate(text.split("\n"), line + 1) if own.count('"') % 2)
    found = next(odd, None)
    return "" if found is None else f"line {found} has a quote without a partner"


def read_csv(path: Path) -> pl.DataFrame:
    """A text table with every cell as text or missing, the columns named by the header or `column1`, `column2`, ...

    Raises:
        DataError: It cannot be read as a table, or is empty.
    """
    import polars as pl

    return pl.concat(csv_batches(path), rechunk=True)


def csv_batches(path: Path) -> Iterator[pl.DataFrame]:
    """The same in pieces of some megabytes; there is at least one row in all.

    Raises:
        DataError: It cannot be read as a table, or is empty.
    """
    layout, line, count = None, 0, 0
    for text in text_blocks(path):
        first = layout is None
        layout = layout or layout_of(path, text)
        frame = layout.frame(text, first, line)
        line, count = line + text.count("\n"), count + frame.height
        if frame.height:
            yield frame
    if layout is None:
        raise DataError(str(path), "the file holds no rows", fix="Give a table with a line for each row.")
    if count == 0:
        raise DataError(str(path), "the table has a header and no rows", ", ".join(layout.names)[:80], "Add rows.")


def _cells(lines: Iterable[str], separator: str) -> _csv.Reader:
    """Lines cut into cells, of any length: a separator that is none leaves whole lines."""
    csv.field_size_limit(LONGEST)
    return csv.reader(lines, delimiter=separator)


def layout_of(path: Path, text: str) -> Layout:
    """What the beginning of a text says of it.

    Raises:
        DataError: It holds nothing, or names two columns alike.
    """
    lines = [line for line in _beginning(text).splitlines(keepends=True) if line.strip()]
    if not lines:
        raise DataError(str(path), "the file holds no rows", fix="Give a table with a line for each row.")
    separator = separator_of(lines)
    _refuse_other_separators(path, lines, separator)
    rows = [row for row in _cells(lines, separator) if row]
    header = has_header(rows)
    names = [cell.strip() if header else "" for cell in rows[0]]
    names = [name or f"column{place + 1}" for place, name in enumerate(names)]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(str(path), "two columns have one name", twice, "Rename one of them.")
    return Layout(path, separator, tuple(names), header)


def _beginning(text: str) -> str:
    """Some whole records of a text, or lines where a quote is not closed."""
    end = text.find("\n", LOOK) + 1
    lines = (text[:end] if end else text).split("\n", SAMPLE)
    if len(lines) <= SAMPLE and not end:
        return text
    head = "\n".join(lines[:SAMPLE]) + "\n"
    return head[: whole_records(head)] or head


def _refuse_other_separators(path: Path, lines: Sequence[str], separator: str) -> None:
    """Refuse lines that are not cut by what is known and would all be cut alike, into numbers above all, by another."""
    if any(separator in line for line in lines) or len(lines) < 2:
        return
    for other in OTHERS:
        rows = [line.split(other) for line in lines]
        cells = [cell for row in rows[1:] for cell in row]
        if len({len(row) for row in rows}) == 1 and len(rows[0]) > 1 and 2 * sum(map(is_number, cells)) >= len(cells):
            what = f"no separator is known to cut its lines, which look as if {other!r} did"
            raise DataError(str(path), what, fix="Save it with commas, semicolons, tabs or bars between cells.")


def separator_of(lines: list[str]) -> str:
    """The separator that cuts all lines into one number of cells, the largest such number; a comma where none does."""
    best, found = 1, ","
    if not any(separator in lines[0] for separator in SEPARATORS) and all(map(is_number, lines[1:])):
        return ";" if any("," in line for line in lines) else ","  # One column, whose decimals may have a comma.
    for separator in SEPARATORS:
        counts = {len(row) for row in _cells(lines, separator) if row}
        if len(counts) == 1 and max(counts) > best:
            best, found = max(counts), separator
    if best == 1:  # Lines differ: what occurs most often is told about in the error that follows.
        found = max(SEPARATORS, key=lambda separator: (lines[0].count(separator), separator == ","))
    return found


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line names columns: none a number, all different and none missing.

    Names that are missing or the same do no harm where a column of numbers has a name that is none, and a first one
    that is missing where row numbers are below it and no other name is a value of its column.
    """
    first = [cell.strip() for cell in rows[0]]
    if any(is_number(cell) for cell in first):
        return False
    if len(set(first)) == len(first) and not any(cell in MISSING for cell in first):
        return True
    named = any(name not in MISSING and _numbers_below(rows[1:], place) for place, name in enumerate(first))
    return named or _numbers_rows(first, rows[1:])


def _numbers_rows(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first column has no name and numbers the rows, and all others have names of their own."""
    others = first[1:]
    if first[0] or not others or not rows or len(set(others)) < len(others) or any(name in MISSING for name in others):
        return False
    below = [row[place].strip() == name for row in rows for place, name in enumerate(first) if 0 < place < len(row)]
    return all(row[0].strip().isdecimal() for row in rows) and not any(below)


def _numbers_below(rows: Sequence[Sequence[str]], place: int) -> bool:
    cells = [row[place].strip() for row in rows if place < len(row)]
    known = [cell for cell in cells if cell not in MISSING]
    return len(known) > 1 and all(map(is_number, known))


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a point or a comma before its decimals."""
    try:
        float(cell.strip().replace(",", ".", 1))
    except ValueError:
        return False
    return True
