"""Where data is looked for, and where downloads and built files go."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dareps.errors import DataError

if TYPE_CHECKING:
    import numpy as np


def cache_dir() -> Path:
    """The per-user folder for downloads and built files: `DAREPS_CACHE`, else the platform's cache folder."""
    import platformdirs

    named = os.environ.get("DAREPS_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("dareps"))


def download_root() -> Path:
    """The data root that downloads go to."""
    return cache_dir() / "data"


def data_roots() -> tuple[Path, ...]:
    """Folders of `DAREPS_DATA` in order, then the download root."""
    named = os.environ.get("DAREPS_DATA", "").split(os.pathsep)
    return (*(Path(path).expanduser() for path in named if path), download_root())


def locate(relative: str, *, packed: bool = True) -> Path | None:
    """The first root's file or folder of this name, or, where `packed`, the file with `.gz` behind its name."""
    for root in data_roots():
        for name in (relative, f"{relative}.gz")[: 1 + packed]:
            if (root / name).exists():
                return root / name
    return None


def locate_any(names: Sequence[str]) -> Path | None:
    """The first of some names that is there."""
    return next((found for found in map(locate, names) if found is not None), None)


def require(relative: str, dataset: str, *, packed: bool = True) -> Path:
    """Like `locate`, but a missing file is a `DataError` that says how to get it."""
    found = locate(relative, packed=packed)
    if found is None:
        searched = ", ".join(str(root) for root in data_roots())
        what = f"{relative} is missing (looked in {searched})"
        fix = f"Run 'dareps data get {dataset}', or name its folder in DAREPS_DATA."
        raise DataError(f"data {dataset}", what, fix=fix)
    return found


def unreadable(path: Path, dataset: str, error: BaseException | str) -> DataError:
    """The error for a file that is there but cannot be used: truncated, of another shape, not readable."""
    reason = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    fix = f"Delete it and run 'dareps data get {dataset}'."
    return DataError(str(path), f"the file is broken or truncated ({reason})", fix=fix)


def stamp(*paths: Path) -> str:
    """A short digest of names, sizes and times: changes when a file is replaced."""
    facts = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()


def digest_of(*arrays: np.ndarray) -> str:
    """A hex digest of arrays: types, shapes and values."""
    import numpy as np

    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def built_path(name: str) -> Path:
    """Where a file that dareps builds is kept."""
    return cache_dir() / "built" / name


def cached_arrays(name: str, build: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays from the user cache, built and stored when they are not there; an unwritable cache is tolerated."""
    path = built_path(f"{name}.npz")
    arrays = _load(path)
    if arrays is None:
        import numpy as np

        arrays = build()
        built = arrays
        write_atomically(path, lambda file: np.savez(file, **built))  # type: ignore[arg-type]
    return arrays


def built_rows(name: str, shape: tuple[int, ...], build: Callable[[], np.ndarray]) -> np.ndarray:
    """Rows of bytes mapped from a file of the user cache, built and stored when it is not there or not of this shape.

    Where the cache cannot be written, the rows are in memory.
    """
    import numpy as np

    path = built_path(name)
    stored = _mapped(path, shape)
    if stored is None:
        built = build()
        write_atomically(path, lambda file: np.save(file, built))
        stored = _mapped(path, shape)
    return built if stored is None else stored


def mapped_rows(name: str, shape: tuple[int, ...], fill: Callable[[np.ndarray], None]) -> np.ndarray | None:
    """Like `built_rows`, but rows are written into the file as they are made, so that they need no memory.

    One process writes, others wait for it. None where the cache cannot be written or has no room.
    """
    path = built_path(name)
    if (stored := _mapped(path, shape)) is not None:
        return stored
    part = path.with_name(f"{name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f"{name}.lock").open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # Goes with the process, however that ends.
            return _mapped(path, shape) if path.exists() else _filled(part, path, shape, fill)
    except OSError:
        return None


def _filled(part: Path, path: Path, shape: tuple[int, ...], fill: Callable[[np.ndarray], None]) -> np.ndarray | None:
    """Rows written into a file, which then gets its name; raises `OSError` where there is no room for it."""
    import numpy as np

    try:
        rows = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        # A mapped file that has holes ends the process where the disk is full, and not with an error.
        with part.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, part.stat().st_size)
        fill(rows)
        rows.flush()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return _mapped(path, shape)


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> bool:
    """Write a file that is either whole or absent; returns False where the folder cannot be written."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            write(file)  # type: ignore[arg-type]
        temporary.replace(path)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        return False
    return True


def _mapped(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    import numpy as np

    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == np.uint8 else None


def _load(path: Path) -> dict[str, np.ndarray] | None:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
