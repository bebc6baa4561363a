"""Random erasing of image regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class Erasing(Augmentation):
    """Set one rectangle of each image to 0 with some probability (Zhong et al., AAAI 2020, algorithm 1).

    The rectangle covers a uniform share of at most `area` of the image, its height over its width is log-uniform in
    [1/3, 3], and its place is uniform among those inside the image; sides longer than the image are cut.
    """

    probability: float = Field(0.5, ge=0, le=1)
    """Of erasing, per image."""
    area: float = Field(0.2, gt=0, le=1)
    """Largest share of the image that is erased."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Images with erased rectangles, same shape and dtype as x (n, c, h, w)."""
        import torch

        from dareps.data.augment._pixels import between, need_images

        need_images(self.name, x)
        n, _, height, width = x.shape
        share = between(noise, f"{place}/area", n, 0.0, self.area)
        ratio = 3 ** between(noise, f"{place}/ratio", n, -1.0, 1.0)
        rows = _covered(height, (share * ratio).sqrt(), noise.uniform(f"{place}/top", (n,)))
        columns = _covered(width, (share / ratio).sqrt(), noise.uniform(f"{place}/left", (n,)))
        hit = noise.uniform(f"{place}/hit", (n,)) < self.probability
        erased = hit[:, None, None, None] & rows[:, None, :, None] & columns[:, None, None, :]
        return torch.where(erased, torch.zeros_like(x), x)


def _covered(size: int, share: Tensor, position: Tensor) -> Tensor:
    """Which of `size` pixels lie in an interval of the given share (n,) at a position in [0, 1) (n,): (n, size)."""
    import torch

    length = share.clamp(max=1)
    start = position * (1 - length)
    centres = (torch.arange(size, device=share.device) + 0.5) / size
    return (centres >= start[:, None]) & (centres < (start + length)[:, None])
