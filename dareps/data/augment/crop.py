"""Random crops of zero-padded images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class Crop(Augmentation):
    """Shift each image by whole pixels, each direction uniform in -padding..padding; what comes into view is 0."""

    padding: int = Field(2, ge=0)
    """Largest shift in pixels."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Shifted images, same shape and dtype as x (n, c, h, w)."""
        from dareps.data.augment._pixels import need_images

        need_images(self.name, x)
        for axis, name in ((2, "down"), (3, "right")):
            draw = noise.uniform(f"{place}/{name}", (x.shape[0],))
            x = _shifted(x, (draw * (2 * self.padding + 1)).long() - self.padding, axis)
        return x


def _shifted(x: Tensor, shift: Tensor, axis: int) -> Tensor:
    """Each image moved along an axis by its own whole number of pixels (n,)."""
    import torch

    size = x.shape[axis]
    origin = torch.arange(size, device=x.device) - shift[:, None]
    inside = (origin >= 0) & (origin < size)
    shape = [1] * x.ndim
    shape[0], shape[axis] = x.shape[0], size
    index = origin.clamp(0, size - 1).view(shape).expand(x.shape)
    return x.gather(axis, index) * inside.view(shape).to(x.dtype)
