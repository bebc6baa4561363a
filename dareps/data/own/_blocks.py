"""Text files in blocks of whole records, however long they are: unpacked, decoded, cut behind a line."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final

from dareps.errors import DataError

BLOCK: Final = 2**24
"""Characters that are looked at together."""
LONGEST: Final = 2**27
"""Characters after which a quoted cell counts as one that nobody closed."""
WRONG: Final = {
    b"PK\x03\x04": ("a zip archive or a spreadsheet", "Unpack it; save a spreadsheet as CSV (UTF-8)."),
    b"\xd0\xcf\x11\xe0": ("an old spreadsheet", "Save it as CSV (UTF-8)."),
    b"PAR1": ("a Parquet file", "Let its name end in .parquet."),
    b"BZh": ("packed with bzip2", "Unpack it, or pack it with gzip."),
    b"\xfd7zX": ("packed with xz", "Unpack it, or pack it with gzip."),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "Unpack it, or pack it with gzip."),
    b"%PDF": ("a PDF document", "Save its table as CSV (UTF-8)."),
}
"""First bytes of files that people take for text."""
MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def text_blocks(path: Path) -> Iterator[str]:
    """The text of a file, every block but the last one ended by a line break outside of quotes.

    Line breaks of all systems become a line feed. A file of less than a block is one.

    Raises:
        DataError: It cannot be read, or is no text.
    """
    encoding = _encoding(path, path.stat().st_mtime_ns)
    try:
        with _unpacked(path) as file, io.TextIOWrapper(file, encoding=encoding) as text:
            yield from _cut(path, text)
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        raise DataError(str(path), f"the file cannot be read ({error})", fix="Check it.") from None


def _cut(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    rest, line = "", 1
    while len(piece := text.read(BLOCK)) == BLOCK:
        rest += piece
        end = whole_records(rest)
        if end:
            yield rest[:end]
            line += rest.count("\n", 0, end)
            rest = rest[end:]
        elif len(rest) > LONGEST:
            raise DataError(str(path), f"no cell or line ends behind line {line}", fix="Close its quote.")
    rest += piece
    if rest:
        yield rest


def whole_records(text: str) -> int:
    """Where the last record ends: behind the last line break with an even number of quotes before it; 0 for none."""
    end = text.rfind("\n") + 1
    quotes = text.count('"', 0, end)
    while end and quotes % 2:
        earlier = text.rfind("\n", 0, text.rfind('"', 0, end)) + 1
        quotes -= text.count('"', earlier, end)
        end = earlier
    return end


@lru_cache(maxsize=32)
def _encoding(path: Path, stamp: int) -> str:
    """The first encoding that the whole file is text in."""
    try:
        with _unpacked(path) as file:
            head = file.read(4096)
        _refuse_others(path, head)
        if head.startswith(MARKS):
            return "utf-16"
        return next(name for name in ("utf-8-sig", "cp1252", "latin-1") if _decodes(path, name))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(str(path), f"the file cannot be read ({error})", fix="Check it.") from None


def _refuse_others(path: Path, head: bytes) -> None:
    for start, (what, fix) in WRONG.items():
        if head.startswith(start):
            raise DataError(str(path), f"the file is no text but {what}", fix=fix)
    if b"\x00" in head and not head.startswith(MARKS):
        fix = "Give CSV in UTF-8, Parquet, NPZ, safetensors or svmlight."
        raise DataError(str(path), "the file is no text, or one of two bytes a letter without a mark", fix=fix)


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with _unpacked(path) as file:
            while piece := file.read(BLOCK):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _unpacked(path: Path) -> BinaryIO:
    """The file opened, through gzip where its content is packed, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]
