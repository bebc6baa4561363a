"""Pairwise squared distances in Gram form, bandwidths, and the multi-kernels of the kernel losses.

A multi-kernel is a function of D / b, with D a squared distance and b the bandwidth. Beside its value stands its slope,
the pair (k, dk/dD) at b = 1, from which a tile's gradient is made without a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

_OCTAVES, _ROUNDING, _ROOT_ROUNDING = 2, 64, 16
KERNELS: Final = 2 * _OCTAVES + 1
"""How many members each multi-kernel adds; also its value at distance 0."""
_SHAPES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


def pooled_rows(source: Tensor, target: Tensor) -> Tensor:
    """Both samples as (n + m, d), centred on their pooled mean.

    Distances do not depend on the centre, so it carries no gradient. The first row is taken off before the mean:
    that difference is exact for nearly equal rows, so equal rows become exactly 0 and tiny spreads survive.
    """
    rows = torch.cat((source, target))
    rows = rows - rows[:1].detach()
    return rows - rows.detach().mean(0, keepdim=True)


def centre_(rows: Tensor) -> Tensor:
    """`pooled_rows` of rows (n + m, d) that stand together already and carry no gradient, in place."""
    rows -= rows[:1].clone()
    rows -= rows.mean(0, keepdim=True)
    return rows


def squared_norms(rows: Tensor, rooted: bool = False) -> Tensor:
    """|z_i|^2 of rows (n, d) as (n,), from which distances in Gram form start.

    Where a root is taken of the distances, the norms are smaller by their rounding error: equal rows then have distance
    0 exactly instead of the root of that error, at a relative cost of a few roundings elsewhere.
    """
    norms = rows.square().sum(1)
    return norms * (1 - _ROOT_ROUNDING * torch.finfo(rows.dtype).eps) if rooted else norms


def squared_distances(rows: Tensor, rooted: bool = False) -> Tensor:
    """All |z_i - z_j|^2 of rows (n, d) as (n, n), from one Gram matrix; rows should be centred."""
    norms = squared_norms(rows, rooted)
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


def usable(bandwidth: Tensor | float) -> Tensor | float:
    """The bandwidth, with a tensor of 0 made infinite.

    An infinite bandwidth makes the kernel constant: value and gradient of any discrepancy are then exactly 0.
    """
    if isinstance(bandwidth, Tensor):
        return bandwidth.masked_fill(bandwidth <= torch.finfo(bandwidth.dtype).tiny, float("inf"))
    return bandwidth


def unit_rows(rows: Tensor, bandwidth: Tensor | float) -> Tensor:
    """Rows divided by the root of the bandwidth, so that kernels of their distances have b = 1."""
    return rows * usable(bandwidth) ** -0.5


def gaussian_sum(distances: Tensor, bandwidth: Tensor | float, octaves: int = _OCTAVES) -> Tensor:
    """sum over i = -octaves..octaves of exp(-D / (2^i b)), same shape as D; a bandwidth tensor of 0 gives a constant.

    Only the widest Gaussian is an exponential: halving the bandwidth squares it.
    """
    return _squared_up((distances / (usable(bandwidth) * -(2.0**octaves))).exp(), octaves)


def laplace_sum(distances: Tensor, bandwidth: Tensor | float) -> Tensor:
    """sum over i = -2..2 of exp(-sqrt(D / b) / 2^i), same shape as D."""
    return _squared_up((_root(distances / usable(bandwidth)) / -(2.0**_OCTAVES)).exp(), _OCTAVES)


def rational_quadratic_sum(distances: Tensor, bandwidth: Tensor | float) -> Tensor:
    """sum over a in 0.2, 0.5, 1, 2, 5 of (1 + D / (2 a b))^-a, same shape as D."""
    unit = distances / usable(bandwidth)
    total = torch.zeros_like(unit)
    for shape in _SHAPES:
        total = total + _rational(unit, shape)
    return total


def negative_distance(distances: Tensor, bandwidth: Tensor | float) -> Tensor:
    """-sqrt(D / b), the kernel of the energy distance; same shape as D."""
    return -_root(distances / usable(bandwidth))


def _squared_up(power: Tensor, octaves: int) -> Tensor:
    total = power
    for _ in range(2 * octaves):
        power = power * power
        total = total + power
    return total


def _root(squares: Tensor) -> Tensor:
    """The square root with gradient 0 at 0, where a kernel of the distance has its kink."""
    zero = squares == 0
    return squares.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)


def _rational(unit: Tensor, shape: float) -> Tensor:
    return ((unit / (2 * shape)).log1p() * -shape).exp()


Slope = tuple[Tensor, Tensor]


def _exponential_slope(x: Tensor, octaves: int = _OCTAVES) -> Slope:
    """sum over i of exp(-x / 2^i), and its derivative by x, which is overwritten."""
    rate = -(2.0**-octaves)
    value = x.mul_(rate).exp_()
    if octaves == 0:
        return value, value * rate
    power = value * value
    slope = (value * rate).add_(power, alpha=2 * rate)
    value.add_(power)
    for _ in range(2 * octaves - 1):
        rate = 2 * rate
        power.square_()
        value.add_(power)
        slope.add_(power, alpha=2 * rate)
    return value, slope


def _laplace_slope(distances: Tensor) -> Slope:
    root = distances.sqrt()
    half = _half_inverse(root)
    value, slope = _exponential_slope(root)
    return value, slope.mul_(half)


def _rational_slope(distances: Tensor) -> Slope:
    value, slope = torch.zeros_like(distances), torch.zeros_like(distances)
    for shape in _SHAPES:
        member = _rational(distances, shape)
        value = value + member
        slope = slope - member / (2 + distances / shape)
    return value, slope


def _distance_slope(distances: Tensor) -> Slope:
    root = distances.sqrt()
    return -root, -_half_inverse(root)


def _half_inverse(root: Tensor) -> Tensor:
    """1 / (2 r), and 0 at 0: the derivative of sqrt(D) by D."""
    return (0.5 / root).masked_fill(root == 0, 0)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of squared distances.

    Attributes:
        value: (D, bandwidth) -> k.
        slope: D -> (k, dk/dD) at bandwidth 1; it may overwrite D.
        peak: k at D = 0.
        rooted: Whether it takes a root of D.
        octaves: r of the sum over i = -r..r of exp(-D / (2^i b)), or None for any other kernel.
    """

    value: Callable[[Tensor, Tensor | float], Tensor]
    slope: Callable[[Tensor], Slope]
    peak: int = KERNELS
    rooted: bool = False
    octaves: int | None = None


@lru_cache
def gaussian(octaves: int = _OCTAVES) -> Kernel:
    """The kernel of `gaussian_sum` with 2 octaves + 1 Gaussians."""
    value, slope = partial(gaussian_sum, octaves=octaves), partial(_exponential_slope, octaves=octaves)
    return Kernel(value, slope, peak=2 * octaves + 1, octaves=octaves)


MULTI_KERNELS: Final[Mapping[str, Kernel]] = MappingProxyType(
    {
        "gaussian": gaussian(),
        "laplace": Kernel(laplace_sum, _laplace_slope, rooted=True),
        "rational_quadratic": Kernel(rational_quadratic_sum, _rational_slope),
    }
)
DISTANCE: Final = Kernel(negative_distance, _distance_slope, peak=0, rooted=True)
"""The kernel of the energy distance."""


def contrast(rows: Tensor, n: int) -> Tensor:
    """w (n + m, 1) with 1/n on the source and -1/m on the target: w' K w is the biased discrepancy."""
    return torch.cat((rows.new_full((n, 1), 1 / n), rows.new_full((len(rows) - n, 1), -1 / (len(rows) - n))))


def sides(rows: Tensor, n: int) -> Tensor:
    """(n + m, 2) with 1 in the first column on the source and in the second on the target, else 0."""
    marks = rows.new_zeros(len(rows), 2)
    marks[:n, 0].fill_(1)
    marks[n:, 1].fill_(1)
    return marks


def class_weights(
    of_source: Tensor, of_target: Tensor, factors: Tensor, unbiased: bool = False
) -> tuple[Tensor, Tensor]:
    """left and right (n + m, 2 c) so that sum_ij (left right')_ij k_ij = sum_kl factors_kl D(k, l).

    D(k, l) is the squared discrepancy between source rows of class k and target rows of class l: biased, or unbiased
    where pairs of a row with itself are counted as 0, as `dareps.maths.pairs.pair_sum` does.

    Args:
        of_source: Membership (n, c), 0 or 1.
        of_target: Membership (m, c), 0 or 1.
        factors: (c, c), 0 where one of the two classes has no row, or only one in the unbiased form.
        unbiased: Whether the pairs within a class are averaged over different rows.
    """
    n, classes = of_source.shape
    means = of_source.new_zeros(n + len(of_target), 2 * classes)
    counts = [found.sum(0).clamp_min(1) for found in (of_source, of_target)]
    means[:n, :classes] = of_source / counts[0]
    means[n:, classes:] = of_target / counts[1]
    within = [count / (count - 1).clamp_min(1) if unbiased else torch.ones_like(count) for count in counts]
    upper = torch.cat(((factors.sum(1) * within[0]).diag(), -factors), 1)
    lower = torch.cat((-factors.T, (factors.sum(0) * within[1]).diag()), 1)
    return means, means @ torch.cat((upper, lower))
