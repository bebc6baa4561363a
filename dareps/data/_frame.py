"""What encoders see of an image, settled on the device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from dareps.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Frame:
    """The middle of an image, with channels shifted and scaled: how rows enter an encoder, in training and after.

    Rows stay as they are until then, so augmentations see whole images with pixels from 0 to 1. One that crops by
    itself leaves nothing to cut off here.

    Attributes:
        crop: Side of the middle that is kept; None for all.
        mean: By channel, subtracted; none for nothing.
        spread: By channel, divided by.
    """

    crop: int | None = None
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    def shape(self, rows: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one row that encoders see.

        Raises:
            ConfigError: There are fewer pixels than are to be kept.
        """
        if self.crop is None:
            return rows
        if min(rows[1:]) < self.crop:
            fix = "Set crop to at most side, or leave it open with crop=null."
            what = f"images of {rows[1]} by {rows[2]} pixels are too small for the middle that encoders see"
            raise ConfigError("data.crop", what, self.crop, fix)
        return (rows[0], self.crop, self.crop)

    def __call__(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) as encoders see them."""
        if self.crop is not None and x.shape[-2:] != (self.crop, self.crop):
            from torchvision.transforms.v2 import functional

            x = functional.center_crop(x, [self.crop, self.crop])
        if not self.mean:
            return x
        mean, spread = _channels(self.mean, x.device, x.dtype), _channels(self.spread, x.device, x.dtype)
        return (x - mean).div_(spread)

    def before(self, module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The same as a hook of the module that reads rows."""
        return (self(inputs[0]), *inputs[1:])


WHOLE: Final = Frame()
"""All of the image, with pixels from 0 to 1."""


@lru_cache(maxsize=16)
def _channels(values: tuple[float, ...], device: Any, dtype: Any) -> Tensor:
    """Numbers by channel as (c, 1, 1). Kept: a copy to the device in every step would wait for it."""
    import torch

    # Derivatives may be taken through what is first made where none are.
    with torch.inference_mode(False):
        return torch.tensor(values, device=device, dtype=dtype)[:, None, None]
