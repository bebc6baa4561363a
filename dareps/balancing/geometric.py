"""The geometric mean of losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from dareps.balancing._base import Balancer

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST: Final = 1e-12
"""Losses below this count as this, since 0 has no logarithm."""


class Geometric(Balancer):
    """(prod_t L_t)^(1/T), or the sum of log L_t: a task's scale has no say in the direction of the update.

    Both have the direction sum_t grad L_t / L_t. The mean keeps the size of the losses; the sum of logarithms gives
    every task a relative rate of its own. For losses that are not negative; one of 0 counts as 1e-12 and moves nothing.

    Chennupati et al., CVPR workshops 2019, eq. 4 (`mean`).
    """

    form: Literal["mean", "log"] = "mean"
    """`mean` for the geometric mean, `log` for the sum of logarithms."""

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The objective, 0-d."""
        import torch

        logs = torch.stack(list(losses.values())).clamp_min(SMALLEST).log()
        return logs.sum() if self.form == "log" else logs.mean().exp()
