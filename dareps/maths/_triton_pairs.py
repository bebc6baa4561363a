"""The weighted sum of a Gaussian multi-kernel over all pairs of rows, with its gradient, in one fused Triton kernel.

A program owns a block of rows and walks over all rows: distances, kernel, value and gradient of a tile never leave the
chip, and no two programs write the same place. Products are exact float32, not TF32. The arithmetic is tested through
Triton's interpreter; the speed on a device was not measured, which is why nothing uses it unless
`dareps.maths.pairs.fused` says so. `python -m benchmarks.losses --device cuda` measures it against the tiles and the
device's limits.

Import it only where it is used: Triton comes with PyTorch for CUDA alone.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK, _DEPTH = 64, 32


def gaussian_sweep(rows: Tensor, weights: Tensor, octaves: int, wanted: bool) -> tuple[Tensor, Tensor]:
    """sum over i, j of w_i w_j (k_ij - k(0)), 0-d, and its gradient (n, d) by the rows, empty where not wanted.

    k is the sum over i = -octaves..octaves of exp(-D / 2^i).

    Args:
        rows: Centred rows (n, d) divided by the root of their bandwidth, float32.
        weights: w (n, 1).
        octaves: As above.
        wanted: Whether the gradient is made.
    """
    size, width = rows.shape
    rows, weights = rows.contiguous(), weights.contiguous()
    programs = triton.cdiv(size, _BLOCK)
    values = rows.new_zeros(programs)
    slope = torch.zeros_like(rows) if wanted else rows.new_zeros(0)
    norms = rows.square().sum(1)
    _sweep[(programs,)](rows, norms, weights, values, slope, size, width, octaves, wanted, _BLOCK, _DEPTH)
    return values.sum(), slope


@triton.jit  # type: ignore[untyped-decorator]
def _sweep(
    rows: tl.tensor,
    norms: tl.tensor,
    weights: tl.tensor,
    values: tl.tensor,
    slope: tl.tensor,
    size: tl.tensor,
    width: tl.tensor,
    octaves: tl.constexpr,
    wanted: tl.constexpr,
    block: tl.constexpr,
    depth: tl.constexpr,
) -> None:
    """One block of rows against all rows."""
    mine = tl.program_id(0) * block + tl.arange(0, block)
    inside = mine < size
    my_norms, my_weights = tl.load(norms + mine, inside, 0.0), tl.load(weights + mine, inside, 0.0)
    total = tl.zeros((block,), tl.float32)
    for start in range(0, size, block):
        theirs = start + tl.arange(0, block)
        among = theirs < size
        their_norms, their_weights = tl.load(norms + theirs, among, 0.0), tl.load(weights + theirs, among, 0.0)
        gram = tl.zeros((block, block), tl.float32)
        for deep in range(0, width, depth):
            at = deep + tl.arange(0, depth)
            x = tl.load(rows + mine[:, None] * width + at[None, :], inside[:, None] & (at < width)[None, :], 0.0)
            y = tl.load(rows + theirs[:, None] * width + at[None, :], among[:, None] & (at < width)[None, :], 0.0)
            gram = tl.dot(x, tl.trans(y), gram, input_precision="ieee")
        distances = tl.maximum(my_norms[:, None] + their_norms[None, :] - 2 * gram, 0.0)
        power = tl.exp(distances * -(2.0**-octaves))
        kernel, rate, change = power, power * -(2.0**-octaves), 2.0**-octaves
        for _ in tl.static_range(2 * octaves):
            power = power * power
            change = change * 2
            kernel += power
            rate -= power * change
        total += tl.sum((kernel - (2 * octaves + 1)) * their_weights[None, :], 1)
        if wanted:
            # d/dz_i of the sum is 4 w_i sum_j w_j k'_ij (z_i - z_j).
            rate = rate * (4 * my_weights[:, None] * their_weights[None, :])
            mass = tl.sum(rate, 1)
            for deep in range(0, width, depth):
                at = deep + tl.arange(0, depth)
                place = mine[:, None] * width + at[None, :]
                kept = inside[:, None] & (at < width)[None, :]
                y = tl.load(rows + theirs[:, None] * width + at[None, :], among[:, None] & (at < width)[None, :], 0.0)
                move = mass[:, None] * tl.load(rows + place, kept, 0.0) - tl.dot(rate, y, input_precision="ieee")
                tl.store(slope + place, tl.load(slope + place, kept, 0.0) + move, kept)
    tl.store(values + tl.program_id(0), tl.sum(total * my_weights, 0))
