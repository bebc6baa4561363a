"""Random noise on series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class Jitter(Augmentation):
    """Add Gaussian noise to every value (Um et al., ICMI 2017, section 3), its size by each channel's own spread."""

    strength: float = Field(0.05, ge=0)
    """Standard deviation of the noise, in standard deviations over time of the row's channel."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Noisy series, same shape and dtype as x (n, c, length); a channel that is constant stays."""
        from dareps.data.augment._series import need_series

        need_series(self.name, x)
        spread = x.std(dim=-1, correction=0, keepdim=True)
        return x + self.strength * spread * noise.normal(f"{place}/jitter", tuple(x.shape)).to(x.dtype)
