"""Photographs in folders: which files a domain has, of which class, and their pixels, decoded once where that fits."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from dareps.data._decoding import IMAGES, Decoder, image_files
from dareps.data._lazy import Mapped, lazily
from dareps.data._roots import built_path, cached_arrays, mapped_rows
from dareps.errors import DataError

SPARE: Final = 2
"""A cache of decoded images is made where so many times its size is free."""
VERSION: Final = 1
"""Of how pixels are made of files; others are no longer read from the cache."""
BLOCK: Final = 1 << 20
PIECE: Final = 512
"""Images that are predicted at a time."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Images of a domain: `files` in order, `labels` (n,) positions of their classes, `names` below the domain."""

    files: tuple[Path, ...]
    labels: np.ndarray
    names: tuple[str, ...]


def in_folders(folder: Path, classes: Sequence[str], where: str) -> Listed:
    """The images below a folder with a sub-folder for each class, by name.

    Raises:
        DataError: Sub-folders and classes are not the same, or a class has no image.
    """
    known = {_plain(name): number for number, name in enumerate(classes)}
    files = image_files(folder)
    found = [(path, known.get(_plain(path.relative_to(folder).parts[0]))) for path in files]
    strange = next((path for path, label in found if label is None), None)
    if strange is not None:
        what = f"{strange.relative_to(folder)} lies in no folder of a class"
        raise DataError(where, what, folder, f"There are {len(classes)}: {_some(classes)}.")
    labels = np.asarray([label for _, label in found], dtype=np.int64)
    lacking = [name for number, name in enumerate(classes) if not (labels == number).any()]
    if lacking:
        raise DataError(where, f"no images of {_some(lacking)}", folder, "Complete the folder; see 'dareps data get'.")
    return Listed(tuple(files), labels, tuple(str(path.relative_to(folder)) for path in files))


def by_list(folder: Path, listing: Path, classes: Sequence[str], where: str) -> Listed:
    """The images that an official list names, a line each: `DOMAIN/CLASS/FILE LABEL`, in its order.

    The label behind the name is not read: the class is what the sub-folder says.

    Raises:
        DataError: A line names no image of a known class, or one that is not there.
    """
    known = {_plain(name): number for number, name in enumerate(classes)}
    labels, files = list[int](), list[Path]()
    for number, line in enumerate(listing.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        parts = Path(line.rsplit(maxsplit=1)[0]).parts
        label = known.get(_plain(parts[-2])) if len(parts) > 1 else None
        path = folder.joinpath(*parts[-2:])
        if label is None or not path.is_file():
            raise DataError(where, f"line {number} of {listing} names no image", line[:90], f"Put it below {folder}.")
        labels.append(label)
        files.append(path)
    if not files:
        raise DataError(where, "the list names no image", listing, "Download it again.")
    names = tuple(str(path.relative_to(folder)) for path in files)
    return Listed(tuple(files), np.asarray(labels, dtype=np.int64), names)


def rows_of(listed: Listed, side: int) -> np.ndarray:
    """Pixels (n, 3, side, side), read when they are asked for.

    Decoded once: rows are mapped from a file of the user cache that all processes share. Where the cache has no room
    for it, images are decoded each time.
    """
    decoder = Decoder(listed.files, side)
    wanted = int(np.prod(decoder.shape, dtype=np.int64))
    name = f"photographs-{VERSION}-{_stamp(listed.files)}-{side}.npy"
    if not built_path(name).exists() and _free(built_path(name)) < SPARE * wanted:
        return lazily(decoder)
    mapped = mapped_rows(name, decoder.shape, decoder.fill)
    return lazily(decoder if mapped is None else Mapped(mapped))


def pieces_of(folder: Path, side: int) -> Iterator[np.ndarray]:
    """Pixels (k, 3, side, side) of all images of a folder and those below it, by name, some at a time.

    Raises:
        DataError: There are none, or one cannot be read.
    """
    decoder = Decoder(tuple(image_files(folder)), side)
    if not decoder.files:
        raise DataError(str(folder), "there are no images in this folder", fix=f"Known are {', '.join(IMAGES)}.")
    for start in range(0, len(decoder.files), PIECE):
        yield decoder.read(np.arange(start, min(start + PIECE, len(decoder.files))))


def digest(listed: Listed) -> np.ndarray:
    """A digest of the names, the labels and what is in the files; read once while the files stay as they are."""
    told = hashlib.blake2b(repr((listed.names, listed.labels.tolist())).encode(), digest_size=8).hexdigest()
    name = f"digest-{VERSION}-{_stamp(listed.files)}-{told}"
    return cached_arrays(name, lambda: {"digest": np.array(_digest(listed))})["digest"]


def _digest(listed: Listed) -> str:
    found = hashlib.blake2b(f"{VERSION}\n".encode(), digest_size=16)
    for name, label, path in zip(listed.names, listed.labels.tolist(), listed.files, strict=True):
        found.update(f"{name} {label} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    return found.hexdigest()


def _stamp(files: tuple[Path, ...]) -> str:
    """Changes when a file is replaced; links are not followed, which would take long for many files."""
    found = hashlib.blake2b(digest_size=8)
    for path in files:
        facts = path.stat()
        found.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _free(path: Path) -> int:
    """Bytes that are free where a file would go."""
    folder = next(parent for parent in path.parents if parent.exists())
    return shutil.disk_usage(folder).free


def _plain(name: str) -> str:
    """A class's name as folders of all versions of a dataset have it."""
    return name.lower().replace(" ", "_").replace("-", "_")


def _some(names: Sequence[str], most: int = 9) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
