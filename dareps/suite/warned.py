"""Warnings as single lines: those of dareps and of a user's own files; libraries' only when debugging."""

from __future__ import annotations

import os
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

PACKAGE = Path(__file__).resolve().parent.parent
LIBRARIES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib"))


@contextmanager
def warnings_told(tell: Callable[[str], None]) -> Iterator[None]:
    """Hand the text of each warning to `tell`; with DAREPS_DEBUG set, those of libraries as well."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if os.environ.get("DAREPS_DEBUG"):
            tell(f"{filename}:{lineno}: {category.__name__}: {message}")
        elif not _foreign(Path(filename)):
            tell(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _foreign(path: Path) -> bool:
    """True for a file of a library, where neither dareps nor its user can mend anything."""
    place = path.resolve()
    return PACKAGE not in place.parents and any(folder in place.parents for folder in LIBRARIES)
