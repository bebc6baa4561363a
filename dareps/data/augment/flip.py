"""Random mirror images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class Flip(Augmentation):
    """Mirror each image left to right with some probability."""

    probability: float = Field(0.5, ge=0, le=1)
    """Of mirroring, per image."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Images, some of them mirrored, same shape and dtype as x (n, c, h, w)."""
        import torch

        from dareps.data.augment._pixels import need_images

        need_images(self.name, x)
        hit = noise.uniform(f"{place}/hit", (x.shape[0],)) < self.probability
        columns = torch.arange(x.shape[3], device=x.device)
        wanted = torch.where(hit[:, None], columns.flip(0), columns)
        return x.gather(3, wanted[:, None, None, :].expand(x.shape))
