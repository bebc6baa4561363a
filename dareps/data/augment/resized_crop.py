"""Random parts of images, brought to one size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class ResizedCrop(Augmentation):
    """Cut out a rectangle of each image and stretch it to a square, bilinear (Szegedy et al., CVPR 2015, section 6).

    It covers a uniform share of the image between `smallest` and `largest`, its width over its height is log-uniform
    between 1 / `ratio` and `ratio`, and its place is uniform among those inside the image; sides longer than the image
    are cut. Nothing is averaged, so rectangles should not have many more pixels than the result.
    """

    size: int | None = Field(None, ge=1)
    """Side of the result; open means the image's own. Other rows have to be cut to it by the data's `crop`."""
    smallest: float = Field(0.08, gt=0, le=1)
    """Least share of the image that is kept."""
    largest: float = Field(1.0, gt=0, le=1)
    """Largest share of the image that is kept."""
    ratio: float = Field(4 / 3, ge=1)
    """Largest ratio of the sides, either way."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.smallest > self.largest:
            what = "resized_crop: smallest {smallest} is more than largest {largest}. Exchange them."
            raise PydanticCustomError("order", what, {"smallest": self.smallest, "largest": self.largest})
        if self.size is not None and self.streams != "all":
            what = "resized_crop: rows of one size are needed in all streams. Leave size open, or set streams: all."
            raise PydanticCustomError("streams", what)
        return self

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Stretched parts (n, c, size, size), dtype as x (n, c, h, w)."""
        import torch
        from torch.nn.functional import grid_sample

        from dareps.data.augment._pixels import between, need_images

        need_images(self.name, x)
        n, _, height, width = x.shape
        share = between(noise, f"{place}/area", n, self.smallest, self.largest)
        ratio = between(noise, f"{place}/ratio", n, -math.log(self.ratio), math.log(self.ratio)).exp()
        # Both sides are measured against the image's, whose own ratio the rectangle's is corrected by.
        wide = (share * ratio * height / width).sqrt().clamp(max=1)
        high = (share / ratio * width / height).sqrt().clamp(max=1)
        right = _places(self.size or width, wide, noise.uniform(f"{place}/left", (n,)))
        down = _places(self.size or height, high, noise.uniform(f"{place}/top", (n,)))
        shape = (n, down.shape[1], right.shape[1])
        grid = torch.stack([right[:, None, :].expand(shape), down[:, :, None].expand(shape)], dim=-1)
        return grid_sample(x, grid.to(x.dtype), padding_mode="border", align_corners=False)


def _places(count: int, side: Tensor, position: Tensor) -> Tensor:
    """Where `count` pixels of a rectangle's side (n,) look, in coordinates from -1 to 1: (n, count)."""
    import torch

    centres = (torch.arange(count, device=side.device) + 0.5) / count
    return 2 * (position * (1 - side))[:, None] + 2 * side[:, None] * centres - 1
