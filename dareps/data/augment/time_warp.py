"""Random changes of pace in series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class TimeWarp(Augmentation):
    """Let time run faster and slower within each row (Um et al., ICMI 2017, section 3); all channels alike.

    The pace is exp(strength z) at `knots` even times, z standard normal, and linear in between. Summed up and scaled it
    gives times that rise from the first to the last one, at which the row is read, linear between its values.
    """

    strength: float = Field(0.2, ge=0, le=3)
    """Standard deviation of the logarithm of the pace at a knot."""
    knots: int = Field(4, ge=2)
    """Times at which paces are drawn; more of them change the pace more often."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Warped series, same shape and dtype as x (n, c, length), with the same first and last values."""
        from dareps.data.augment._series import between_times, need_series

        need_series(self.name, x)
        if x.shape[-1] < 3:
            return x
        draws = noise.normal(f"{place}/pace", (x.shape[0], self.knots))
        return between_times(x, warped_times((self.strength * draws).exp(), x.shape[-1]))


def warped_times(pace: Tensor, length: int) -> Tensor:
    """Times (n, length) rising from 0 to length - 1 at paces above 0 that are given at even distances, (n, knots)."""
    import torch

    from dareps.data.augment._series import between_times

    at = torch.linspace(0, pace.shape[1] - 1, length - 1, device=pace.device)
    steps = between_times(pace[:, None], at.expand(pace.shape[0], -1))[:, 0]
    passed = steps.cumsum(-1)
    # Multiplied first, since whole numbers then stay whole: at an even pace nothing changes.
    inner = (passed[:, :-1] * (length - 1) / passed[:, -1:]).clamp(max=length - 1)
    ends = torch.zeros_like(pace[:, :1])
    return torch.cat([ends, inner, ends + length - 1], dim=-1)
