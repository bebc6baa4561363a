"""Random affine changes of images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class Affine(Augmentation):
    """Rotate, scale and shift each image by its own uniform draws; what comes into view is 0, or the image's border.

    A pixel at p (image coordinates in [-1, 1], y down) shows the input at R(-a) (p - t) / s, bilinear: with angle a
    (clockwise) within `degrees`, shift t within `translate` (a share of the image) and size s within 1 +- `scale`.
    """

    degrees: float = Field(15.0, ge=0, le=180)
    """Largest rotation."""
    translate: float = Field(0.1, ge=0, le=1)
    """Largest shift, as a share of the image."""
    scale: float = Field(0.1, ge=0, lt=1)
    """Largest change of size."""
    fill: Literal["zeros", "border", "reflection"] = "zeros"
    """What comes into view: 0, the nearest pixel of the image, or its mirror image.

    0 suits drawings on a black ground. In photographs it is a mark that only training rows have.
    """

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Changed images, same shape and dtype as x (n, c, h, w)."""
        from torch.nn.functional import grid_sample

        from dareps.data.augment._pixels import between, need_images

        need_images(self.name, x)
        n, _, height, width = x.shape
        limit = math.radians(self.degrees)
        angle = between(noise, f"{place}/angle", n, -limit, limit)
        size = between(noise, f"{place}/size", n, 1 - self.scale, 1 + self.scale)
        # Image coordinates run from -1 to 1, so a share of the image is twice as long there.
        shift = [between(noise, f"{place}/{axis}", n, -2 * self.translate, 2 * self.translate) for axis in "xy"]
        grid = _places(angle, size, shift, height, width)
        return grid_sample(x, grid.to(x.dtype), padding_mode=self.fill, align_corners=False)


def _places(angle: Tensor, size: Tensor, shift: list[Tensor], height: int, width: int) -> Tensor:
    """Where each pixel of the result looks in the input, (n, h, w, 2)."""
    import torch

    def centres(count: int) -> Tensor:
        return (torch.arange(count, device=angle.device) + 0.5) * 2 / count - 1

    angle, size, right, down = (draw[:, None, None] for draw in (angle, size, *shift))
    u, v = centres(width)[None, None, :] - right, centres(height)[None, :, None] - down
    return torch.stack([angle.cos() * u + angle.sin() * v, angle.cos() * v - angle.sin() * u], dim=-1) / size[..., None]
