"""From image files to pixels."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from dareps.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
"""Endings of files that are images."""
Filter = Literal["box", "bilinear"]
BLOCK: Final = 64
"""Images that a thread decodes at a time."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """Images that are decoded each time they are asked for.

    Attributes:
        files: Where they are.
        side: Of the squares that they are squeezed to.
        resample: How: `box` averages, `bilinear` is what published protocols use.
    """

    files: tuple[Path, ...]
    side: int
    resample: Filter = "bilinear"

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, 3, side, side)."""
        return (len(self.files), 3, self.side, self.side)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """Pixels (k, 3, side, side) uint8 of the images with these numbers.

        Raises:
            DataError: One cannot be read.
        """
        rows = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        self.fill(rows, numbers)
        return rows

    def fill(self, rows: np.ndarray, numbers: np.ndarray | None = None) -> None:
        """Write pixels into `rows` (k, 3, side, side); a thread a core, since decoders let go of the interpreter."""
        wanted = [self.files[number] for number in (range(len(rows)) if numbers is None else numbers)]
        blocks = range(0, len(wanted), BLOCK)

        def decode(start: int) -> None:
            for place, path in enumerate(wanted[start : start + BLOCK], start):
                rows[place] = pixels(path, self.side, self.resample)

        if len(blocks) < 2:
            for start in blocks:
                decode(start)
            return
        threads = ThreadPoolExecutor(max_workers=os.cpu_count())
        try:
            for done in [threads.submit(decode, start) for start in blocks]:
                done.result()
        finally:  # One broken image, or a stop, ends all: what has not begun is not waited for.
            threads.shutdown(cancel_futures=True)


def image_files(folder: Path) -> list[Path]:
    """The images below a folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES and path.is_file())


def pixels(path: Path, side: int, resample: Filter) -> np.ndarray:
    """An image (3, side, side) uint8: turned upright, made red-green-blue and squeezed to a square.

    Raises:
        DataError: It cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            small = _coloured(image)
            # A gap only spares work where what follows averages anyway.
            gap = 2.0 if resample == "box" else None
            method = Image.Resampling.BOX if resample == "box" else Image.Resampling.BILINEAR
            small = small.resize((side, side), method, reducing_gap=gap)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(str(path), f"the image cannot be read ({error})", fix="Remove or replace it.") from None
    return np.moveaxis(np.asarray(small), 2, 0)


def _coloured(image: Image) -> Image:
    """The image upright and red-green-blue."""
    from PIL import ImageOps
    from PIL.Image import fromarray

    upright = ImageOps.exif_transpose(image)
    # Sixteen bits a pixel would be cut off, not scaled, by the conversion.
    if upright.mode.startswith(("I", "F")):
        values = np.asarray(upright, dtype=np.float64)
        spread = values.max() - values.min()
        upright = fromarray((255 * (values - values.min()) / (spread or 1)).astype(np.uint8))
    return upright.convert("RGBA" if "transparency" in upright.info else upright.mode).convert("RGB")
