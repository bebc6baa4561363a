"""Readers of the digit domains: MNIST and USPS through torchvision, MNIST-M from the builder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dareps.data._mnist_m import blended
from dareps.data._roots import cached_arrays, digest_of, require, stamp, unreadable
from dareps.errors import DataError

SIDE = 28
ROWS = {"mnist": (60000, 10000), "usps": (7291, 2007)}
MNIST_FILES = {
    "train": ("MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte"),
    "test": ("MNIST/raw/t10k-images-idx3-ubyte", "MNIST/raw/t10k-labels-idx1-ubyte"),
}
USPS_FILES = {"train": "USPS/usps.bz2", "test": "USPS/usps.t.bz2"}
DomainPart = Literal["train", "test"]
Labelled = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Channels:
    """Digits (n, c, 28, 28) -> uint8 (n, channels, 28, 28), grey rows repeated."""

    channels: int

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """Check and repeat; raises `DataError` for rows of another shape or type."""
        expected = {(1, SIDE, SIDE), (self.channels, SIDE, SIDE)}
        if x.dtype != np.uint8 or x.shape[1:] not in expected:
            fix = "Give uint8 pixels from 0 to 255 as (n, 1, 28, 28), or (n, 3, 28, 28) where the split has colour."
            raise DataError(f"data digits/{domain}", "not rows of digits", (str(x.dtype), x.shape), fix)
        # Always a copy: raw rows are kept for later splits, or mapped from a file that must not be written.
        return np.repeat(np.asarray(x), self.channels // x.shape[1], axis=1)


def read_domain(domain: str, dataset: str, part: DomainPart) -> Labelled:
    """Pixels (n, c, 28, 28) uint8 and digits (n,) int64 of the train or test rows of a domain."""
    if domain == "usps":
        return _usps(require(USPS_FILES[part], dataset, packed=False), dataset, part)
    images, labels = (require(name, dataset, packed=False) for name in MNIST_FILES[part])
    x, y = _mnist(images, stamp(images, labels), dataset, part)
    return (blended(x, dataset, part), y) if domain == "mnist_m" else (x, y)


def domain_checksum(domain: str, dataset: str) -> tuple[np.ndarray, ...]:
    """A digest of each part as an array, so that the parts can be digested in turn."""
    return tuple(np.array(_checksum(domain, dataset, part, _key(domain, dataset, part))) for part in MNIST_FILES)


def _key(domain: str, dataset: str, part: str) -> str:
    names = (USPS_FILES[part],) if domain == "usps" else MNIST_FILES[part]
    return stamp(*(require(name, dataset, packed=False) for name in names))


@lru_cache(maxsize=8)
def _checksum(domain: str, dataset: str, part: DomainPart, key: str) -> str:
    return digest_of(*read_domain(domain, dataset, part))


@lru_cache(maxsize=2)
def _mnist(images: Path, key: str, dataset: str, part: DomainPart) -> Labelled:
    from torchvision import datasets

    # torchvision wants the folder above MNIST/raw.
    read = _read(lambda: datasets.MNIST(images.parents[2], train=part == "train"), images, dataset)
    return _checked(read.data.numpy(), read.targets.numpy(), (SIDE, SIDE), images, dataset, ROWS["mnist"], part)


def _usps(path: Path, dataset: str, part: DomainPart) -> Labelled:
    arrays = _usps_arrays(path, stamp(path), dataset, part)
    return arrays["x"], arrays["y"]


@lru_cache(maxsize=2)
def _usps_arrays(path: Path, key: str, dataset: str, part: DomainPart) -> dict[str, np.ndarray]:
    return cached_arrays(f"usps-1-{key}", lambda: _parse_usps(path, dataset, part))


def _parse_usps(path: Path, dataset: str, part: DomainPart) -> dict[str, np.ndarray]:
    from torchvision import datasets

    read = _read(lambda: datasets.USPS(path.parent, train=part == "train"), path, dataset)
    x, y = _checked(read.data, np.array(read.targets), (16, 16), path, dataset, ROWS["usps"], part)
    return {"x": _enlarged(x), "y": y}


def _read(reader: Callable[[], Any], path: Path, dataset: str) -> Any:
    try:
        return reader()
    except Exception as error:
        # The readers let assertion, index, bz2 and value errors of a damaged file through.
        raise unreadable(path, dataset, error) from error


def _checked(
    x: np.ndarray,
    y: np.ndarray,
    shape: tuple[int, int],
    path: Path,
    dataset: str,
    counts: tuple[int, int],
    part: DomainPart,
) -> Labelled:
    expected = (counts[part == "test"], *shape)
    if x.shape != expected or y.shape != expected[:1]:
        raise unreadable(path, dataset, f"{expected} pixels expected, {x.shape} and {y.shape} labels found")
    return x[:, None], y.astype(np.int64)


def _enlarged(x: np.ndarray) -> np.ndarray:
    """Bilinear, corners not aligned, no antialiasing: (n, 1, 16, 16) -> (n, 1, 28, 28), uint8."""
    import torch

    pixels = torch.from_numpy(np.ascontiguousarray(x)).float()
    larger = torch.nn.functional.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", antialias=False)
    return larger.round().to(torch.uint8).numpy()
