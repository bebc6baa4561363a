"""Equal weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dareps.balancing._base import Balancer

if TYPE_CHECKING:
    from torch import Tensor


class Equal(Balancer):
    """sum_t L_t: every task counts once."""

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The sum, 0-d."""
        first, *rest = losses.values()
        for loss in rest:
            first = first + loss
        return first
