"""Folders of images: a sub-folder for each class, or images alone where there are no labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from dareps.data._decoding import IMAGES, Decoder, image_files
from dareps.data._roots import mapped_rows, stamp
from dareps.data.own._arrays import Arrays
from dareps.errors import DataError

LABEL: Final = "class"
"""What the label of an image is called: the name of its sub-folder."""
SIDE: Final = 32
"""Side of a square image where nobody says."""


def read_images(folder: Path, side: int = SIDE) -> Arrays:
    """Images (n, 3, side, side) uint8 in the order of their names, and the names of their sub-folders, if any.

    All are turned upright, made red-green-blue and squeezed to one size by averaging. Decoded once: rows are mapped
    from a file of the user cache that is as new as the images, which all processes share.

    Raises:
        DataError: There are none, one cannot be read, or some lie in sub-folders and some do not.
    """
    files = image_files(folder)
    if not files:
        held = next((path.name for path in sorted(folder.glob("*")) if path.is_file()), "nothing")
        fix = f"Known are {', '.join(IMAGES)}. Tables are given file by file."
        raise DataError(str(folder), "there are no images in this folder", held, fix)
    classes = [path.relative_to(folder).parts[0] if path.parent != folder else "" for path in files]
    if "" in classes and any(classes):
        stray = files[classes.index("")].name
        raise DataError(str(folder), "some images lie in sub-folders and some do not", stray, "Give each a class.")
    decoder = Decoder(tuple(files), side, "box")
    mapped = mapped_rows(f"images-{stamp(*files)}-{side}.npy", decoder.shape, decoder.fill)
    x = decoder.read(np.arange(len(files))) if mapped is None else mapped
    return Arrays(x, {LABEL: np.asarray(classes)} if any(classes) else {})


def names(folder: Path) -> tuple[str, ...]:
    """The images of a folder as they are read, named below it; none of a file."""
    return tuple(path.relative_to(folder).as_posix() for path in image_files(folder)) if folder.is_dir() else ()


def named(rows: Iterable[int], images: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What predictions begin with: a row's number and, where there are some, its image's name."""
    return ((str(row), *images[row : row + 1]) for row in rows)
