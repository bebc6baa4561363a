"""Folders of images: a sub-folder for each class, or images alone where there are no labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from dareps.data._roots import built_rows, stamp
from dareps.data.own._reading import IMAGES, Arrays
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
    files = _files(folder)
    if not files:
        raise DataError(str(folder), "there are no images in this folder", fix=f"Known are {', '.join(IMAGES)}.")
    classes = [path.relative_to(folder).parts[0] if path.parent != folder else "" for path in files]
    if "" in classes and any(classes):
        stray = files[classes.index("")].name
        raise DataError(str(folder), "some images lie in sub-folders and some do not", stray, "Give each a class.")
    shape = len(files), 3, side, side
    x = built_rows(f"images-{stamp(*files)}-{side}.npy", shape, lambda: _decoded(files, side))
    return Arrays(x, {LABEL: np.asarray(classes)} if any(classes) else {})


def names(folder: Path) -> list[str]:
    """The images of a folder as they are read, named below it."""
    return [str(path.relative_to(folder)) for path in _files(folder)]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES and path.is_file())


def _decoded(files: Sequence[Path], side: int) -> np.ndarray:
    x = np.empty((len(files), 3, side, side), np.uint8)
    for place, path in enumerate(files):
        x[place] = _image(path, side)
    return x


def _image(path: Path, side: int) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            # Sixteen bits a pixel would be cut off, not scaled, by the conversion.
            if upright.mode.startswith(("I", "F")):
                values = np.asarray(upright, dtype=np.float64)
                spread = values.max() - values.min()
                upright = Image.fromarray((255 * (values - values.min()) / (spread or 1)).astype(np.uint8))
            small = upright.convert("RGBA" if "transparency" in upright.info else upright.mode).convert("RGB")
            small = small.resize((side, side), Image.Resampling.BOX, reducing_gap=2.0)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(str(path), f"the image cannot be read ({error})", fix="Remove or replace it.") from None
    return np.moveaxis(np.asarray(small), 2, 0)
