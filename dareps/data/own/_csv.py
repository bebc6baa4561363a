"""Text tables as they come: separators, headers, decimal commas, encodings and packing are found out."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dareps.errors import DataError

if TYPE_CHECKING:
    import polars as pl

MISSING: Final = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?")
"""Cells that are read as missing."""
SEPARATORS: Final = ",;\t|"
SAMPLE: Final = 200
"""Lines that the separator and the header are judged by."""


def read_csv(path: Path) -> pl.DataFrame:
    """A text table with every cell as text or missing, the columns named by the header or `column1`, `column2`, ...

    Raises:
        DataError: It cannot be read as a table, or is empty.
    """
    import polars as pl

    text = _text(path)
    lines = [line for line in text.splitlines()[:SAMPLE] if line.strip()]
    if not lines:
        raise DataError(str(path), "the file holds no rows", fix="Give a table with a line for each row.")
    separator = separator_of(lines)
    header = has_header(list(csv.reader(lines, delimiter=separator)))
    try:
        frame = pl.read_csv(
            io.BytesIO(text.encode()),
            separator=separator,
            has_header=header,
            infer_schema=False,
            null_values=list(MISSING),
        )
    except pl.exceptions.PolarsError as error:
        first = str(error).strip().splitlines()[0]
        fix = f"Lines must have one number of cells each, separated by {separator!r}."
        raise DataError(str(path), f"not a table ({first})", fix=fix) from None
    _refuse_short_lines(path, text, separator, frame.width)
    if frame.height == 0:
        raise DataError(str(path), "the table has a header and no rows", lines[0][:80], "Add rows.")
    names = [name.strip() if header else f"column{place + 1}" for place, name in enumerate(frame.columns)]
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def _refuse_short_lines(path: Path, text: str, separator: str, width: int) -> None:
    """Refuse lines of too few cells, which the reader would fill up."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for row in rows:
        if row and len(row) != width:
            fix = f"Lines must have one number of cells each, separated by {separator!r}."
            raise DataError(str(path), f"line {rows.line_num} has {len(row)} cells, the first has", width, fix)


def separator_of(lines: list[str]) -> str:
    """The separator that cuts all lines into one number of cells, the largest such number; a comma where none does."""
    best, found = 1, ","
    for separator in SEPARATORS:
        counts = {len(row) for row in csv.reader(lines, delimiter=separator)}
        if len(counts) == 1 and max(counts) > best:
            best, found = max(counts), separator
    if best == 1:  # Lines differ: what occurs most often is told about in the error that follows.
        found = max(SEPARATORS, key=lambda separator: (lines[0].count(separator), separator == ","))
    return found


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first line names columns: all different, none missing, none a number."""
    first = [cell.strip() for cell in rows[0]]
    return len(set(first)) == len(first) and not any(cell in MISSING or is_number(cell) for cell in first)


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a point or a comma before its decimals."""
    try:
        float(cell.strip().replace(",", ".", 1))
    except ValueError:
        return False
    return True


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise DataError(str(path), f"the file cannot be read ({error})", fix="Check it.") from None
    if b"\x00" in data[:4096] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(str(path), "the file is no text", fix="Give CSV, Parquet, NPZ, safetensors or svmlight.")
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(str(path), "the text has no known encoding", fix="Save it as UTF-8.")
