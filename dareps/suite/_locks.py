"""Locks of an output folder: a suite has it alone, single runs share it, and no run is trained twice at a time.

A lock goes with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dareps.errors import StoreError

LOCK: Final = ".lock"
RUNNING: Final = ".running"


@contextmanager
def folder_held(folder: Path, *, alone: bool) -> Iterator[None]:
    """Hold a folder alone, or together with others that share it.

    Raises:
        StoreError: Another process holds it otherwise; the message names its process id where it is known.
    """
    what = "is writing to this folder"
    fix = "Wait until it has finished, stop it, or choose another folder with --out."
    with _held(folder / LOCK, alone, folder, what, fix):
        yield


@contextmanager
def run_held(folder: Path, key: str) -> Iterator[None]:
    """Hold one run of a folder alone.

    Raises:
        StoreError: Another process is training it.
    """
    path = folder / RUNNING / key
    what = "is training this very run"
    fix = "Wait until it has finished, then the same command shows its results; or stop it, or change --seed or --out."
    with _held(path, True, folder, what, fix):
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


@contextmanager
def _held(path: Path, alone: bool, folder: Path, what: str, fix: str) -> Iterator[None]:
    handle = _opened(path, folder)
    try:
        _lock(handle, alone, folder, what, fix)
        # The holder before may have removed the file between our opening and our lock.
        while not _is_at(handle, path):
            os.close(handle)
            handle = _opened(path, folder)
            _lock(handle, alone, folder, what, fix)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _opened(path: Path, folder: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        what = f"this folder cannot be used ({error.strerror or error})"
        raise StoreError(str(folder), what, fix="Choose a folder that you may write to.") from error


def _lock(handle: int, alone: bool, folder: Path, what: str, fix: str) -> None:
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(str(folder), f"another process{_holder(handle)} {what}", fix=fix) from None
    except OSError as error:
        what = f"this folder cannot be locked ({error.strerror})"
        raise StoreError(str(folder), what, fix="Choose a folder on a local disk.") from error


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _holder(handle: int) -> str:
    """` (pid N)`, or nothing where the last process that wrote its number is gone while others still hold the lock."""
    text = os.pread(handle, 32, 0).decode(errors="replace").strip()
    return f" (pid {text})" if text.isdecimal() and _lives(int(text)) else ""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
