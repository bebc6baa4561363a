"""Random sizes of series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class Scaling(Augmentation):
    """Multiply every channel of every row by a factor of its own (Um et al., ICMI 2017, section 3).

    The factor is exp(strength z) with z standard normal: above 0 for any strength, where the paper's 1 + strength z
    may turn a channel over.
    """

    strength: float = Field(0.1, ge=0, le=10)
    """Standard deviation of the factor's logarithm."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Scaled series, same shape and dtype as x (n, c, length)."""
        from dareps.data.augment._series import need_series

        need_series(self.name, x)
        draws = noise.normal(f"{place}/factor", (x.shape[0], x.shape[1], 1))
        return x * (self.strength * draws).exp().to(x.dtype)
