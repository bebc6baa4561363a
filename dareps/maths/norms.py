"""Norms with a gradient everywhere and no overflow on the way."""

from __future__ import annotations

from torch import Tensor


def safe_norm(vectors: Tensor) -> Tensor:
    """Euclidean norm over the last axis, (..., d) -> (...), with gradient 0 where the vector is 0.

    The plain norm divides 0 by 0 there. Entries are divided by the largest one before they are squared, so that
    high moments neither overflow nor vanish; the factor carries no gradient, because the norm does not depend on it.
    """
    largest = vectors.detach().abs().amax(-1)
    zero = largest == 0
    unit = vectors / largest.masked_fill(zero, 1).unsqueeze(-1)
    return largest * unit.square().sum(-1).masked_fill(zero, 1).sqrt()
