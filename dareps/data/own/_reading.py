"""Files of rows: what they hold, by their ending and their content; nothing in them is ever executed."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dareps.errors import DataError

if TYPE_CHECKING:
    import polars as pl

INPUTS: Final = ("x", "data", "features", "inputs", "images", "series")
"""What the array of inputs may be called, in this order."""
TEXT: Final = (".csv", ".tsv", ".txt", ".dat")
ARRAYS: Final = (".npz", ".safetensors", ".svm", ".svmlight", ".libsvm")
READABLE: Final = "Give CSV, Parquet, NPZ, safetensors or svmlight files, or a folder of images."


@dataclass(frozen=True, slots=True)
class Arrays:
    """Rows as one array (n, *shape), and further arrays (n,) or (n, k) that may be labels, by name."""

    x: np.ndarray
    others: Mapping[str, np.ndarray] = field(default_factory=dict)


def read(path: Path) -> pl.DataFrame | Arrays:
    """What a file holds: a table with named columns, or arrays.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise DataError(str(path), "there is no such file", fix="Check its name; folders hold images.")
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".pq")):
        return _parquet(path)
    if name.endswith(TEXT):
        from dareps.data.own._csv import read_csv

        return read_csv(path)
    readers = {".npz": _npz, ".safetensors": _safetensors}
    ending = next((own for own in ARRAYS if name.endswith(own)), "")
    if not ending:
        what = "pickles are never loaded" if name.endswith((".pkl", ".pickle", ".pt", ".pth", ".joblib")) else ""
        raise DataError(str(path), what or "no file of rows is known by this ending", path.suffix, READABLE)
    return _arrays(path, readers[ending](path)) if ending in readers else _svmlight(path)


def _parquet(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(str(path), f"not a Parquet file ({first})", fix="Write it again.") from None
    if frame.height == 0:
        raise DataError(str(path), "the table has no rows", fix="Add rows.")
    return frame


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        first = str(error).strip().splitlines()[0]
        fix = "Save arrays of numbers or of fixed-width texts with np.savez; objects would be pickles, never loaded."
        raise DataError(str(path), f"not an NPZ file of arrays ({first})", fix=fix) from None


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(str(path), f"not a safetensors file ({error})", fix="Write it again.") from None


def _svmlight(path: Path) -> Arrays:
    from sklearn.datasets import load_svmlight_file

    try:
        x, y = load_svmlight_file(str(path))
    except (ValueError, OSError, OverflowError) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(str(path), f"not an svmlight file ({first})", fix="Write `label index:value ...`.") from None
    if x.shape[0] == 0:
        raise DataError(str(path), "the file holds no rows", fix="Add rows.")
    return Arrays(np.asarray(x.toarray(), dtype=np.float64), {"label": np.asarray(y)})


def _arrays(path: Path, found: Mapping[str, np.ndarray]) -> Arrays:
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
