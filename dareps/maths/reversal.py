"""Gradient reversal (Ganin & Lempitsky, ICML 2015)."""

from __future__ import annotations

import torch
from torch import Tensor


def reverse(x: Tensor, strength: Tensor | float) -> Tensor:
    """R(x) = x forward, dR/dx = -strength I backward; no gradient reaches `strength`.

    Written as y + strength (y - x) with y = x cut off from the graph: the second term is exactly zero, and the
    operations are ordinary ones, so mapping over copies, capture and second derivatives need no rule of their own.
    """
    value = x.detach()
    if not isinstance(strength, Tensor):
        return value + strength * (value - x)
    return torch.addcmul(value, value - x, strength.detach().to(x.dtype))
