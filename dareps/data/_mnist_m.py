"""MNIST-M (Ganin & Lempitsky, ICML 2015, section 4): |digit - crop of a photograph| in each colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dareps.data._roots import built_rows, digest_of, require, stamp, unreadable
from dareps.maths.keys import key_of

PHOTOGRAPHS = "bsds500/train"
COUNT = 200
SIDE = 28
VERSION = 1


def blended(digits: np.ndarray, dataset: str, part: str) -> np.ndarray:
    """Blend digits (n, 1, 28, 28) with keyed crops; (n, 3, 28, 28) uint8, mapped from the user cache where possible."""
    folder = require(PHOTOGRAPHS, dataset)
    paths = sorted(folder.glob("*.jpg"), key=lambda path: path.name)
    if len(paths) < COUNT:
        raise unreadable(folder, dataset, f"{COUNT} photographs expected, {len(paths)} found")
    used = paths[:COUNT]
    name = f"mnist_m-{VERSION}-{part}-{digest_of(digits)}-{stamp(*used)}.npy"
    photographs = (_decoded(photograph, dataset) for photograph in used)
    return built_rows(name, (len(digits), 3, SIDE, SIDE), lambda: blend(digits, tuple(photographs), part))


def blend(digits: np.ndarray, photographs: tuple[np.ndarray, ...], *key: object) -> np.ndarray:
    """|digit - crop| per colour, with photograph and place of each crop drawn from the key.

    Args:
        digits: (n, 1, 28, 28) uint8.
        photographs: Each (height, width, 3) uint8.
        key: What the draws depend on.
    """
    generator = np.random.Generator(np.random.Philox(key=key_of("mnist_m", VERSION, *key) % 2**64))
    chosen = generator.integers(len(photographs), size=len(digits))
    places = generator.random((2, len(digits)))
    result = np.empty((len(digits), 3, SIDE, SIDE), dtype=np.uint8)
    for number, photograph in enumerate(photographs):
        rows = np.flatnonzero(chosen == number)
        top, left = ((places[axis, rows] * (photograph.shape[axis] - SIDE + 1)).astype(np.int64) for axis in (0, 1))
        line = np.arange(SIDE)
        crops = photograph[(top[:, None] + line)[:, :, None], (left[:, None] + line)[:, None, :]].transpose(0, 3, 1, 2)
        # Of two bytes, the larger minus the smaller stays a byte.
        result[rows] = np.maximum(crops, digits[rows]) - np.minimum(crops, digits[rows])
    return result


def _decoded(path: Path, dataset: str) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise unreadable(path, dataset, error) from error
    if min(pixels.shape[:2]) < SIDE:
        raise unreadable(path, dataset, f"a photograph must be at least {SIDE} pixels wide and high")
    return pixels
