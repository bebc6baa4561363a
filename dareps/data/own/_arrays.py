"""Files of arrays: mapped where they are large, never unpickled."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from dareps.errors import DataError

INPUTS: Final = ("x", "data", "features", "inputs", "images", "series")
"""What the array of inputs may be called, in this order."""
MAPPED: Final = 2**28
"""Bytes from which on an array is mapped, where its file allows that."""
MOST: Final = 2**32
"""Bytes that are read into memory at most."""
HEAD: Final = 30
"""Bytes of a zip member's own header, of which the last four say how long names behind it are."""


@dataclass(frozen=True, slots=True)
class Arrays:
    """Rows as one array (n, *shape), and further arrays (n,) or (n, k) that may be labels, by name.

    Attributes:
        numbers: Which rows they are, from 0; None for all.
        total: How many there are; 0 for as many as are here.
    """

    x: np.ndarray
    others: Mapping[str, np.ndarray] = field(default_factory=dict)
    numbers: np.ndarray | None = None
    total: int = 0


def read_arrays(path: Path, ending: str) -> Arrays:
    """The arrays of an NPZ, safetensors or svmlight file.

    Raises:
        DataError: It cannot be read, or is too large.
    """
    readers = {".npz": _npz, ".safetensors": _safetensors}
    return _named(path, readers[ending](path)) if ending in readers else _svmlight(path)


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if isinstance(file, np.ndarray):
                raise DataError(str(path), "the file is one array, no archive", fix="Save it with np.savez(x=...).")
            members = {own.filename.removesuffix(".npy"): own for own in file.zip.infolist()}
            _limited(path, sum(own.file_size for own in members.values() if not _mappable(own)))
            return {name: _mapped(path, members[name]) if _mappable(members[name]) else file[name] for name in file}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, struct.error) as error:
        first = str(error).strip().splitlines()[0]
        fix = "Save arrays of numbers or of fixed-width texts with np.savez; objects would be pickles, never loaded."
        raise DataError(str(path), f"not an NPZ file of arrays ({first})", fix=fix) from None


def _mappable(member: zipfile.ZipInfo) -> bool:
    return member.compress_type == zipfile.ZIP_STORED and member.file_size >= MAPPED


def _mapped(path: Path, member: zipfile.ZipInfo) -> np.ndarray:
    """An array that is stored as it is, without reading it."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        names = struct.unpack("<HH", file.read(HEAD)[-4:])
        file.seek(member.header_offset + HEAD + sum(names))
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, kind = header(file)
        if kind.hasobject:
            raise ValueError("Object arrays are not read")
        return np.memmap(path, kind, "r", file.tell(), shape, "F" if fortran else "C")


def _limited(path: Path, size: int) -> None:
    if size > MOST:
        fix = "Save it with np.savez, which packs nothing, as Parquet or as CSV: these are read in pieces."
        raise DataError(str(path), f"more than {MOST} bytes would be read into memory", size, fix)


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    _limited(path, path.stat().st_size)
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(str(path), f"not a safetensors file ({error})", fix="Write it again.") from None


def _svmlight(path: Path) -> Arrays:
    from sklearn.datasets import load_svmlight_file

    _limited(path, path.stat().st_size)
    try:
        x, y = load_svmlight_file(str(path))
    except (ValueError, OSError, OverflowError, EOFError) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(str(path), f"not an svmlight file ({first})", fix="Write `label index:value ...`.") from None
    if x.shape[0] == 0:
        raise DataError(str(path), "the file holds no rows", fix="Add rows.")
    _limited(path, 8 * x.shape[0] * x.shape[1])
    return Arrays(np.asarray(x.toarray(), dtype=np.float64), {"label": np.asarray(y)})


def _named(path: Path, found: Mapping[str, np.ndarray]) -> Arrays:
    """The inputs and the rest: by name, or else the one array of more than one dimension."""
    lower = {name.lower(): name for name in found}
    wide = [name for name, array in found.items() if array.ndim > 1 and array.dtype.kind in "fiub"]
    own = next((lower[name] for name in INPUTS if name in lower), wide[0] if len(wide) == 1 else "")
    if not own:
        fix = f"Call the inputs one of {', '.join(INPUTS)}."
        raise DataError(str(path), "no array is known to be the inputs", sorted(found), fix)
    x = found[own]
    if x.ndim < 2 or x.dtype.kind not in "fiub" or len(x) == 0:
        what = "inputs must be rows of numbers (n, *shape), n > 0"
        raise DataError(f"{path}, {own}", what, f"{x.dtype} {x.shape}", "Save them as such.")
    others = {name: array for name, array in found.items() if name != own and array.shape[:1] == x.shape[:1]}
    return Arrays(x, others)
