"""Whole-file writes for result folders."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from dareps.errors import StoreError

TUNING = ".tuning"
"""Marks a folder that `dareps tune` wrote."""


def refuse_tuning(folder: Path) -> None:
    """Refuse to make a table of results from the draws of a tuning.

    Raises:
        StoreError: `dareps tune` wrote the folder.
    """
    if (folder / TUNING).exists():
        what = "dareps tune wrote this folder; a table of its draws by target accuracy is no result"
        raise StoreError(str(folder), what, fix="Read tuned.md there, or choose another folder with --out.")


def mark_tuning(folder: Path) -> None:
    """Keep a folder for tuning alone.

    Raises:
        StoreError: It holds results already, or cannot be written.
    """
    if (folder / TUNING).exists():
        return
    if (folder / "results.sqlite").exists():
        what = "this folder holds results, which draws of settings must not join"
        raise StoreError(str(folder), what, fix="Choose another folder with --out.")
    write_whole(folder / TUNING, "dareps tune wrote this folder. Its table is tuned.md.\n")


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader finds the old or the new one, never half of it.

    Raises:
        StoreError: The file cannot be written.
    """
    write_pieces(path, (text,))


def write_pieces(path: Path, texts: Iterable[str]) -> None:
    """The same of a text that comes in pieces; what is raised while they are made leaves the old file as it was.

    Raises:
        StoreError: The file cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as file:
            for text in texts:
                file.write(text)
        part.replace(path)
    except OSError as error:
        what = f"this file cannot be written ({error.strerror or error})"
        raise StoreError(str(path), what, fix="Free some space, or choose a folder that you may write to.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
