"""Differences of moment tensors from powers of inner products, in tiles with memory linear in the rows."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from dareps.maths.eager import Eager
from dareps.maths.kernels import contrast
from dareps.maths.pairs import UNTILED, blocks

# Below, the few operations of the plain form cost less than the bookkeeping of any other.
_FEW: Final = 128


def power_gap(source: Tensor, target: Tensor, order: int, tile: int | None = None) -> Tensor:
    """mean (x.x' / d)^p + mean (y.y' / d)^p - 2 mean (x.y / d)^p of source (n, d) and target (m, d), 0-d.

    Args:
        source: x.
        target: y.
        order: p.
        tile: Rows in a side of a tile; left out, chosen by size, and up to `UNTILED` rows can be differentiated twice.

    Raises:
        ContractError: When one in tiles is differentiated twice.
    """

    def run(wanted: bool, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        # The division comes before the power, which would overflow long before the quotient does.
        rows, n = torch.cat(tensors).mul_(tensors[0].shape[1] ** -0.5), len(tensors[0])
        value, slope = _sweep(rows, contrast(rows, n), order, wanted, tile)
        slope.mul_(tensors[0].shape[1] ** -0.5)
        return value, slope[:n], slope[n:]

    def plain(source: Tensor, target: Tensor) -> Tensor:
        rows = torch.cat((source, target)) * source.shape[1] ** -0.5
        weights = contrast(rows, len(source))
        product: Tensor = (rows @ rows.T) ** order @ weights
        return (weights * product).sum()

    size = len(source) + len(target)
    if tile is None and size <= _FEW:
        return plain(source, target)
    small = tile is None and size <= UNTILED
    what = "a difference of moments in tiles"
    fix = f"Use at most {UNTILED} rows, source and target together."
    return Eager(run, plain=plain if small else None, refusal=(what, fix))(source, target)


def _sweep(rows: Tensor, weights: Tensor, order: int, wanted: bool, tile: int | None) -> tuple[Tensor, Tensor]:
    """w' G^p w elementwise in the Gram matrix G of rows, 0-d, and its gradient by them."""
    weighted, value = rows * weights, rows.new_zeros(())
    slope = torch.zeros_like(rows) if wanted else rows.new_zeros(0)
    for first, second in blocks(len(rows), tile, rows.device):
        gram = rows[first] @ rows[second].T
        power = gram ** (order - 1)
        if wanted:
            slope[first].addmm_(power, weighted[second])
        if wanted and first != second:
            slope[second].addmm_(power.T, weighted[first])
        share = 1 if first == second else 2  # also for the pairs (j, i), which no tile holds
        value += (weights[first] * (power.mul_(gram) @ weights[second])).sum() * share
    return value, slope.mul_(weights if wanted else 1).mul_(2 * order)
