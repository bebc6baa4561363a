"""What the image augmentations share: the check of the rows' shape and draws by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


def need_images(name: str, x: Tensor) -> None:
    """Raise `ConfigError` unless x is (n, channels, height, width)."""
    if x.ndim != 4:
        fix = "Use it on images, or drop it from 'augment'."
        raise ConfigError(f"augmentation {name}", "it needs images (n, c, h, w)", tuple(x.shape), fix)


def between(noise: NoiseSource, place: str, n: int, low: float, high: float) -> Tensor:
    """One uniform draw from [low, high) per row, (n,)."""
    return low + (high - low) * noise.uniform(place, (n,))
