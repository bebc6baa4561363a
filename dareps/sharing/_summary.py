"""Inputs as gates and shortcuts read them."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

_PLACES = 8


class Summary(nn.Module):
    """Rows flattened; of images, their means over at most 8 x 8 places, so that what reads them stays small.

    Args:
        shape: Shape of one row.

    Attributes:
        width: Values of a row's summary.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = (min(shape[1], _PLACES), min(shape[2], _PLACES)) if len(shape) == 3 else None
        self.width = math.prod(shape) if self.size is None else shape[0] * math.prod(self.size)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) of x (n, *shape)."""
        return (x if self.size is None else F.adaptive_avg_pool2d(x, self.size)).flatten(1)
