"""Pairwise squared distances in Gram form, bandwidths, and the multi-kernel of the kernel losses."""

from __future__ import annotations

import torch
from torch import Tensor

_OCTAVES, _ROUNDING, _LAST_PLACES = 2, 64, 4
KERNELS = 2 * _OCTAVES + 1
"""How many Gaussians `gaussian_sum` adds; also its value at distance 0."""


def pooled_rows(source: Tensor, target: Tensor) -> Tensor:
    """Both samples as (n + m, d), centred on their pooled mean.

    Distances do not depend on the centre, so it carries no gradient. The first row is taken off before the mean:
    that difference is exact for nearly equal rows, so equal rows become exactly 0 and tiny spreads survive.
    """
    rows = torch.cat((source, target))
    rows = rows - rows[:1].detach()
    return rows - rows.detach().mean(0, keepdim=True)


def squared_distances(rows: Tensor) -> Tensor:
    """All |z_i - z_j|^2 of rows (n, d) as (n, n), from one Gram matrix; rows should be centred."""
    norms = rows.square().sum(1)
    return torch.addmm(norms.unsqueeze(0), rows, rows.T, alpha=-2).add(norms.unsqueeze(1)).clamp_min(0)


def mean_bandwidth(rows: Tensor) -> Tensor:
    """Mean of |z_i - z_j|^2 over ordered pairs i != j of centred rows (n, d), detached: 2 sum |z_i|^2 / (n - 1)."""
    return rows.detach().square().sum() * (2 / (len(rows) - 1))


def median_bandwidth(distances: Tensor) -> Tensor:
    """Lower median of |z_i - z_j|^2 over pairs i < j, detached; `distances` (n, n).

    A median that is 0 up to the rounding of the Gram form is 0: dividing by what is left would make noise of it.
    """
    distances = distances.detach()
    size = len(distances)
    first, second = torch.triu_indices(size, size, 1, device=distances.device)
    median = distances[first, second].median()
    rounding = distances.amax() * (_ROUNDING * torch.finfo(distances.dtype).eps)
    return median.masked_fill(median <= rounding, 0)


def gaussian_sum(distances: Tensor, bandwidth: Tensor | float) -> Tensor:
    """sum over i = -2..2 of exp(-D / (2^i b)), same shape as D; a bandwidth tensor of 0 gives the constant 5.

    Only the widest Gaussian is an exponential: halving the bandwidth squares it.
    """
    if isinstance(bandwidth, Tensor):
        # An infinite bandwidth makes the kernel constant: value and gradient of any discrepancy are then exactly 0.
        bandwidth = bandwidth.masked_fill(bandwidth <= torch.finfo(bandwidth.dtype).tiny, float("inf"))
    power = (distances / (bandwidth * -(2.0**_OCTAVES))).exp()
    total = power
    for _ in range(KERNELS - 1):
        power = power * power
        total = total + power
    return total


def block_sums(kernel: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of a pooled kernel matrix (n + m, n + m) within source, within target and between them, 0-d each.

    Two thin matrix products: slices would cost a zero-filled matrix each in the backward pass.
    """
    sides = kernel.new_zeros(len(kernel), 2)
    sides[:n, 0].fill_(1)
    sides[n:, 1].fill_(1)
    sums = sides.T @ (kernel @ sides)
    return sums[0, 0], sums[1, 1], sums[0, 1]


def biased_gap(kernel: Tensor, n: int) -> Tensor:
    """mean k(x, x') + mean k(y, y') - 2 mean k(x, y), 0-d, of a pooled kernel matrix (n + m, n + m)."""
    m = len(kernel) - n
    within_source, within_target, between = block_sums(kernel, n)
    return within_source / (n * n) + within_target / (m * m) - between * 2 / (n * m)


def euclidean_distances(rows: Tensor) -> Tensor:
    """All |z_i - z_j| of centred rows (n, d) as (n, n); 0 with gradient 0 where the square is within its rounding."""
    norms = rows.detach().square().sum(1)
    rounding = (norms.unsqueeze(0) + norms.unsqueeze(1)) * (_LAST_PLACES * torch.finfo(rows.dtype).eps)
    squares = squared_distances(rows)
    equal = squares <= rounding
    return squares.masked_fill(equal, 1).sqrt().masked_fill(equal, 0)
