"""Scanned and rendered digits of 8x8 pixels.

A rendered digit goes through what the scanned ones went through: ink on a 32x32 grid, counted in blocks of 4x4 and
rounded to sixteenths. Outlines are kept as signed distance fields, so that thickness and blur are a shift and a slope.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import ft2font
from scipy import ndimage

from dareps.data._checks import check_finite
from dareps.data._roots import cached_arrays
from dareps.errors import DataError
from dareps.maths.keys import key_of

SHAPE = (1, 8, 8)
DIGITS = "0123456789"
ROWS = 1800
VERSION = 1
LEVELS = 16
GRID, CANVAS, POINTS = 32, 112, 96
NOT_DIGITS = ("LastResort", "cmex", "cmsy")
"""Faces that map the codes of 0-9 to boxes, braces or symbols."""

# Ranges of the keyed changes: half-widths around 0 (angles in radians, shares of the box), or (low, high) in canvas
# pixels. Wide enough that no two digits are alike, narrow enough that a model for `fonts` reaches .9 on `fonts`.
ROTATION, SHEAR, ASPECT, SHIFT = 0.15, 0.3, 0.25, 0.12
WIDTH = 0.9
SIZE, THICKNESS, BLUR = (0.85, 1.1), (-2.5, 3.0), (1.0, 4.0)
NOISE = 0.05


@lru_cache(maxsize=2)
def domain_arrays(domain: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 1, 8, 8) float32 in [0, 1] and digits (n,) int64 of `fonts` or `scans`."""
    if domain == "scans":
        return _scans()
    name = f"digits8-fonts-{VERSION}-matplotlib-{matplotlib.__version__}"
    stored = cached_arrays(name, lambda: dict(zip("xy", render(), strict=True)))
    return stored["x"], stored["y"]


def unchanged(x: np.ndarray, domain: str) -> np.ndarray:
    """A copy of rows as float32 after a check of their shape and range; raises `DataError`."""
    where = f"data digits8/{domain}"
    if x.shape[1:] != SHAPE:
        fix = "Give 8x8 digits with values from 0 to 1 as (n, 1, 8, 8)."
        raise DataError(where, "expected rows of shape (n, 1, 8, 8)", x.shape, fix)
    check_finite(where, x)
    if len(x) and not 0 <= x.min() <= x.max() <= 1:
        fix = f"Divide by the number of levels: {LEVELS} for scikit-learn's digits, 255 for bytes."
        raise DataError(where, "values must lie from 0 to 1", [float(x.min()), float(x.max())], fix)
    return np.array(x, dtype=np.float32)


def render() -> tuple[np.ndarray, np.ndarray]:
    """Draw the `fonts` domain: pixels (1800, 1, 8, 8) in sixteenths and digits (1800,), each digit equally often."""
    fields, heights = _glyphs()
    generator = np.random.Generator(np.random.Philox(key=key_of("digits8", "fonts", VERSION) % 2**64))
    y = np.arange(ROWS) % len(DIGITS)
    glyph = generator.integers(len(fields) // len(DIGITS), size=ROWS) * len(DIGITS) + y
    draws = generator.uniform(-1, 1, (8, ROWS, 1, 1))
    distance = _sampled(fields, glyph, heights[glyph], draws[:6])
    ink = np.clip(0.5 + (distance + _within(draws[6], THICKNESS)) / (2 * _within(draws[7], BLUR)), 0, 1)
    block = GRID // SHAPE[-1]
    shares = ink.reshape(ROWS, SHAPE[1], block, SHAPE[2], block).mean(axis=(2, 4))
    shares += NOISE * generator.standard_normal(shares.shape)
    pixels = np.round(np.clip(shares, 0, 1) * LEVELS) / LEVELS
    return pixels[:, None].astype(np.float32), y.astype(np.int64)


def faces() -> Iterator[ft2font.FT2Font]:
    """Matplotlib's own faces whose character map has 0-9, in the order of their names."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for path in sorted(folder.glob("*.ttf")):
        if path.name.startswith(NOT_DIGITS):
            continue
        face = ft2font.FT2Font(str(path))
        if all(ord(digit) in face.get_charmap() for digit in DIGITS):
            yield face


def _scans() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images[:, None] / LEVELS).astype(np.float32), digits.target.astype(np.int64)


def _glyphs() -> tuple[np.ndarray, np.ndarray]:
    """Signed distance fields (faces x 10, 112, 112) in pixels, positive inside the ink, and ink heights."""
    bitmaps = [_bitmap(face, digit) for face in faces() for digit in DIGITS]
    heights = np.array([len(bitmap) for bitmap in bitmaps], dtype=np.float64)
    return np.stack([_field(bitmap) for bitmap in bitmaps]), heights


def _bitmap(face: ft2font.FT2Font, digit: str) -> np.ndarray:
    # Hinting would move outlines to the pixel grid differently from one FreeType to the next.
    face.set_size(POINTS, 72)
    flags = getattr(ft2font, "LoadFlags", None)
    face.set_text(digit, 0, flags=flags.NO_HINTING if flags else getattr(ft2font, "LOAD_NO_HINTING"))  # noqa: B009
    face.draw_glyphs_to_bitmap(antialiased=True)
    return np.asarray(face.get_image())


def _field(bitmap: np.ndarray) -> np.ndarray:
    canvas = np.zeros((CANVAS, CANVAS), dtype=bool)
    top, left = ((CANVAS - size) // 2 for size in bitmap.shape)
    canvas[top : top + bitmap.shape[0], left : left + bitmap.shape[1]] = bitmap > 127
    distance: np.ndarray = ndimage.distance_transform_edt(canvas) - ndimage.distance_transform_edt(~canvas)
    return distance.astype(np.float32)


def _sampled(fields: np.ndarray, glyph: np.ndarray, height: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Each glyph's distances (n, 32, 32) under its own rotation, size, aspect, shear and shift (6, n, 1, 1)."""
    turn, size, aspect, shear, down, right = draws
    angle = ROTATION * turn
    line = (np.arange(GRID) + 0.5) * 2 / GRID - 1
    v, u = line[None, :, None] - SHIFT * down, line[None, None, :] - SHIFT * right
    rows = np.cos(angle) * v + np.sin(angle) * u
    columns = (np.cos(angle) * u - np.sin(angle) * v + SHEAR * shear * rows) / (WIDTH * np.exp(ASPECT * aspect))
    half = height[:, None, None] / 2 / _within(size, SIZE)
    places = np.stack([np.broadcast_to(glyph[:, None, None], rows.shape), rows * half, columns * half])
    places[1:] += (CANVAS - 1) / 2
    found: np.ndarray = ndimage.map_coordinates(fields, places, order=1, mode="nearest")
    return found


def _within(draw: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    return bounds[0] + (bounds[1] - bounds[0]) * (draw + 1) / 2
