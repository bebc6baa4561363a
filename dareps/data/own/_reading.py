"""Files of rows: what they hold, by their ending and their content; nothing in them is ever executed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from dareps.data._decoding import IMAGES
from dareps.data.own._arrays import Arrays, read_arrays
from dareps.data.own._tables import COLUMNS, TEXT, Table, batches, keyed_draws, least, table
from dareps.errors import DataError

if TYPE_CHECKING:
    import polars as pl

ARRAYS: Final = (".npz", ".safetensors", ".svm", ".svmlight", ".libsvm")
READABLE: Final = "Give CSV, Parquet, NPZ, safetensors or svmlight files, or a folder of images."
FOREIGN: Final = {
    (".pkl", ".pickle", ".pt", ".pth", ".joblib"): ("pickles are never loaded", READABLE),
    (".xlsx", ".xls", ".ods", ".numbers"): ("a spreadsheet is not read", "Save its sheet as CSV (UTF-8)."),
    (".zip", ".tar", ".tgz", ".7z", ".rar"): ("an archive is not read", "Unpack it."),
    (".bz2", ".xz", ".zst"): ("only gzip is unpacked", "Unpack it, or pack it with gzip."),
    (".npy",): ("an array alone has no name and no labels", "Save it with np.savez(x=..., y=...)."),
    (".json", ".jsonl"): ("JSON is not read", "Save it as CSV or Parquet."),
    IMAGES: ("one image is no set of rows", "Give a folder of images."),
}
"""Endings of files that people have -> what is wrong, and what to do."""


def read(path: Path) -> pl.DataFrame | Arrays:
    """What a file holds: a table with named columns, or arrays.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    import polars as pl

    ending = _ending(path)
    return read_arrays(path, ending) if ending in ARRAYS else pl.concat(batches(path), rechunk=True)


def read_some(path: Path, limit: int, column: str = "", value: str = "") -> Table | Arrays:
    """At most `limit` rows of a file, each as likely as any other and the same ones in every process.

    Args:
        path: The file.
        limit: How many are taken.
        column: Of a table, only rows with this `value` in it count; all without one.
        value: See there.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    ending = _ending(path)
    return some(read_arrays(path, ending), limit) if ending in ARRAYS else table(path, limit, column, value)


def some(found: Arrays, limit: int) -> Arrays:
    """At most `limit` of the rows, chosen as those of a table are."""
    total = len(found.x)
    if total <= limit:
        return found
    kept = least(keyed_draws().random(total), limit)
    others = {name: own[kept] for name, own in found.others.items()}
    return Arrays(found.x[kept], others, kept, total)


def is_table(path: Path) -> bool:
    """Whether a path is that of a table, by its ending."""
    return path.is_file() and _ending(path) not in ARRAYS


def _ending(path: Path) -> str:
    """The known ending of a file.

    Raises:
        DataError: There is no such file, or no such ending is known.
    """
    if not path.is_file():
        raise DataError(str(path), "there is no such file", fix="Check its name; folders hold images.")
    name = path.name.lower().removesuffix(".gz")
    for endings, (what, fix) in FOREIGN.items():
        if name.endswith(endings):
            raise DataError(str(path), what, path.suffix, fix)
    found = next((own for own in (*TEXT, *COLUMNS, *ARRAYS) if name.endswith(own)), "")
    if not found:
        raise DataError(str(path), "no file of rows is known by this ending", path.suffix, READABLE)
    return found
