"""Whole-file writes for result folders."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from dareps.errors import StoreError


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader finds the old or the new one, never half of it.

    Raises:
        StoreError: The file cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        what = f"this file cannot be written ({error.strerror or error})"
        raise StoreError(str(path), what, fix="Free some space, or choose a folder that you may write to.") from error
