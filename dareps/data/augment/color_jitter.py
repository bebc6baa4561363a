"""Random brightness, contrast and saturation of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class ColorJitter(Augmentation):
    """Change brightness, then contrast, then saturation of each image by factors of its own, uniform in 1 +- setting.

    Brightness is the factor on pixels, contrast that on their distance from the image's mean grey, saturation that on
    their distance from their own grey (0.299 R + 0.587 G + 0.114 B); results are cut to [0, 1] each time. One-channel
    images have no saturation.
    """

    brightness: float = Field(0.4, ge=0, le=1)
    """Largest change of brightness."""
    contrast: float = Field(0.4, ge=0, le=1)
    """Largest change of contrast."""
    saturation: float = Field(0.4, ge=0, le=1)
    """Largest change of saturation."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Changed images, same shape and dtype as x (n, c, h, w), pixels from 0 to 1."""
        from dareps.data.augment._pixels import need_images

        need_images(self.name, x)
        x = self._blend(x, x * 0, self.brightness, noise, f"{place}/brightness")
        x = self._blend(x, _grey(x).mean(dim=(2, 3), keepdim=True), self.contrast, noise, f"{place}/contrast")
        return self._blend(x, _grey(x), self.saturation, noise, f"{place}/saturation")

    @staticmethod
    def _blend(x: Tensor, other: Tensor, most: float, noise: NoiseSource, place: str) -> Tensor:
        """Images at a random distance from `other`, 1 being their own."""
        from dareps.data.augment._pixels import between

        if most == 0:
            return x
        factor = between(noise, place, x.shape[0], 1 - most, 1 + most).to(x.dtype)[:, None, None, None]
        return (other + factor * (x - other)).clamp(0, 1)


def _grey(x: Tensor) -> Tensor:
    """Luminance (n, 1, h, w) of red-green-blue images; others as their mean channel."""
    if x.shape[1] != 3:
        return x.mean(dim=1, keepdim=True)
    red, green, blue = x.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]
