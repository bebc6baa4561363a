"""Weighted sums of a kernel over all pairs of rows, in one piece or in tiles with memory linear in the rows.

A discrepancy between samples is such a sum: the biased one of MMD is w' K w with w = 1/n on the source and -1/m on the
target. The kernel enters less its value at distance 0, because weights that sum to 0 do so only up to rounding: equal
rows then give exactly 0, and what is near 0 keeps its digits.

A tile is a block of rows against a block of rows at or after it, because weights and kernel are symmetric. When a
gradient is wanted it is accumulated along with the value, so that no tile is made twice or kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from dareps.maths.eager import Eager
from dareps.maths.kernels import Kernel, centre_, contrast, pooled_rows, sides, squared_distances, squared_norms, usable
from dareps.maths.scope import Scope

UNTILED: Final = 1024
"""Up to how many pooled rows, about 512 a side, there are second derivatives."""
# A tile and what is made of it should stay in a core's cache; on an accelerator it should be worth its launches.
_ON_CPU, _ELSEWHERE = 256, 2048
_FUSIBLE = ("cuda",)
_fused = [False]
_REFUSAL = ("a kernel sum in tiles", f"Use at most {UNTILED} rows, source and target together.")


def pair_sum(
    layers: Sequence[Tensor], kernels: Sequence[Kernel], left: Tensor, right: Tensor, tile: int | None = None
) -> Tensor:
    """sum over i, j of (left right')_ij (K_ij - K(0)), K_ij = prod over layers l of k_l(|z_i^l - z_j^l|^2), 0-d.

    Args:
        layers: Centred rows (n, d_l) of each layer, divided by the root of their bandwidth.
        kernels: One per layer.
        left: (n, r), without gradient.
        right: Likewise; left right' has to be symmetric.
        tile: Rows in a side of a tile; left out, chosen by size, and up to `UNTILED` rows can be differentiated twice.

    Raises:
        ContractError: When a sum in tiles is differentiated twice.
    """

    def run(wanted: bool, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        left, right, *layers = tensors
        return Sweep(layers, kernels, wanted, tile).over(left, right)

    def plain(left: Tensor, right: Tensor, *layers: Tensor) -> Tensor:
        return _in_one_piece(layers, kernels, left, right)

    task = Eager(run, 2, plain if tile is None and len(left) <= UNTILED else None, _REFUSAL)
    return task(left.detach(), right.detach(), *layers)


def fused(on: bool = True) -> Scope[bool]:
    """Inside a `with`, biased Gaussian discrepancies of float32 rows on CUDA go through the fused Triton kernel.

    It is off otherwise, because its speed was not measured on a device: `python -m benchmarks.losses --device cuda`
    does so. It has no tiles, so it needs no more memory than the rows, their gradient and one number a block.
    """
    return Scope(_fused, on)


Bandwidth = Callable[[Tensor], Tensor | float]
"""Centred pooled rows (n + m, d) -> b, without gradient."""


def discrepancy(
    source: Tensor, target: Tensor, kernel: Kernel, bandwidth: Tensor | float | Bandwidth, unbiased: bool = False
) -> Tensor:
    """Squared maximum mean discrepancy of source (n, d) and target (m, d) with k(D / b), 0-d.

    Args:
        source: Rows.
        target: Rows.
        kernel: k.
        bandwidth: b, or how to find it; 0 gives the value 0.
        unbiased: Whether pairs of a row with itself are left out.

    Raises:
        ContractError: When one of more than `UNTILED` rows is differentiated twice.
    """
    weights = unbiased_weights if unbiased else biased_weights
    known = (bandwidth,) if isinstance(bandwidth, Tensor) else ()

    def scale(rows: Tensor, known: Sequence[Tensor]) -> Tensor | float:
        return usable(known[0] if known else bandwidth(rows) if callable(bandwidth) else bandwidth) ** -0.5

    def run(wanted: bool, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        *known, source, target = tensors
        rows, n = centre_(torch.cat((source, target))), len(source)
        factor = scale(rows, known)
        value, slope = _summed(rows.mul_(factor), kernel, weights(rows, n), wanted)
        slope.mul_(factor)
        return value, slope[:n], slope[n:]

    def plain(*tensors: Tensor) -> Tensor:
        *known, source, target = tensors
        rows = pooled_rows(source, target)
        return _in_one_piece([rows * scale(rows.detach(), known)], [kernel], *weights(rows, len(source)))

    small = len(source) + len(target) <= UNTILED
    return Eager(run, len(known), plain if small else None, _REFUSAL)(*known, source, target)


def _summed(rows: Tensor, kernel: Kernel, weights: tuple[Tensor, Tensor], wanted: bool) -> tuple[Tensor, ...]:
    """The sum of one layer and its gradient, by tiles or by the fused kernel."""
    left, right = weights
    fusible = left is right and rows.dtype == torch.float32 and rows.device.type in _FUSIBLE
    if _fused[-1] and fusible and kernel.octaves is not None:
        from dareps.maths._triton_pairs import gaussian_sweep

        return gaussian_sweep(rows, left, kernel.octaves, wanted)
    return Sweep([rows], [kernel], wanted).over(left, right)


def biased_weights(rows: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """`left` and `right` of `pair_sum` for pooled rows (n + m, d) under which all pairs count."""
    weights = contrast(rows, n)
    return weights, weights


def unbiased_weights(rows: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The same under which pairs of a row with itself are left out.

    Column 0 of the second weighs the pairs that a source row is in, column 1 those of a target row.

    Pairs of a row with itself need no taking out: sums count from the kernel's value at distance 0.
    """
    m = len(rows) - n
    right = rows.new_full((len(rows), 2), -1 / (n * m))
    right[:n, 0].fill_(1 / (n * (n - 1)))
    right[n:, 1].fill_(1 / (m * (m - 1)))
    return sides(rows, n), right


def _in_one_piece(layers: Sequence[Tensor], kernels: Sequence[Kernel], left: Tensor, right: Tensor) -> Tensor:
    product: Tensor | float = 1.0
    for rows, kernel in zip(layers, kernels, strict=True):
        product = kernel.value(squared_distances(rows, kernel.rooted), 1.0) * product
    assert isinstance(product, Tensor)
    return (left * ((product - _peak(kernels)) @ right)).sum()


def _peak(kernels: Sequence[Kernel]) -> int:
    return math.prod(kernel.peak for kernel in kernels)


Blocks = tuple[slice, slice]


class Sweep:
    """One pass over the tiles.

    Args:
        layers: Rows (n, d_l) of each layer.
        kernels: One per layer.
        wanted: Whether the gradients come with the value.
        tile: Rows in a side of a tile, or None for what suits the size and the device.
    """

    def __init__(
        self, layers: Sequence[Tensor], kernels: Sequence[Kernel], wanted: bool, tile: int | None = None
    ) -> None:
        self.layers, self.kernels, self.wanted = layers, kernels, wanted
        self.size, self.tile = len(layers[0]), tile
        self.norms = [squared_norms(rows, kernel.rooted) for rows, kernel in zip(layers, kernels, strict=True)]
        self.value = layers[0].new_zeros(())
        self.gradients = [torch.zeros_like(rows) if wanted else rows.new_zeros(0) for rows in layers]
        self.masses = [rows.new_zeros(len(rows), 1) for rows in layers if wanted]

    def over(self, left: Tensor, right: Tensor) -> tuple[Tensor, ...]:
        """The value (0-d) and the gradients, empty where they are not wanted."""
        for first, second in blocks(self.size, self.tile, left.device):
            weights = left[first] @ right[second].T
            if first != second:
                weights *= 2  # also for the pairs (j, i), which no tile holds
            (self._with_slopes if self.wanted else self._alone)((first, second), weights)
        if self.wanted:
            for gradient, rows, mass in zip(self.gradients, self.layers, self.masses, strict=True):
                gradient.addcmul_(rows, mass, value=2)
        return (self.value, *self.gradients)

    def _distances(self, layer: int, at: Blocks) -> Tensor:
        rows, norms = self.layers[layer], self.norms[layer]
        gram = torch.addmm(norms[at[1]].unsqueeze(0), rows[at[0]], rows[at[1]].T, alpha=-2)
        return gram.add_(norms[at[0]].unsqueeze(1)).clamp_min_(0)

    def _alone(self, at: Blocks, weights: Tensor) -> None:
        self._add(weights, [kernel.value(self._distances(i, at), 1.0) for i, kernel in enumerate(self.kernels)])

    def _add(self, weights: Tensor, values: Sequence[Tensor]) -> None:
        product = math.prod(values[1:], start=values[0])
        self.value += weights.mul_(product - _peak(self.kernels)).sum()

    def _with_slopes(self, at: Blocks, weights: Tensor) -> None:
        found = [kernel.slope(self._distances(i, at)) for i, kernel in enumerate(self.kernels)]
        for layer, (_, slope) in enumerate(found):
            slope.mul_(weights)
            for other, (value, _) in enumerate(found):
                if other != layer:
                    slope.mul_(value)
            self._push(layer, at, slope)
        self._add(weights, [value for value, _ in found])

    def _push(self, layer: int, at: Blocks, slope: Tensor) -> None:
        """d/dz_i of sum_ij s_ij |z_i - z_j|^2 is 2 sum_j s_ij (z_i - z_j); that of z_j, 2 sum_i s_ij (z_j - z_i)."""
        rows, gradient, mass = self.layers[layer], self.gradients[layer], self.masses[layer]
        # On the diagonal the two are the same.
        sides = ((*at, slope),) if at[0] == at[1] else ((*at, slope), (at[1], at[0], slope.T))
        alpha = -4 if at[0] == at[1] else -2
        for to, by, part in sides:
            gradient[to].addmm_(part, rows[by], alpha=alpha)
            mass[to].add_(part.sum(1, keepdim=True), alpha=-alpha / 2)


def blocks(size: int, tile: int | None, device: torch.device) -> list[Blocks]:
    """Pairs of blocks of rows that hold every pair of rows once, up to its order; one pair of blocks for few rows.

    Args:
        size: How many rows.
        tile: Rows in a block, or None for what suits the device.
        device: Where they are.
    """
    if tile is None and size <= UNTILED // 2:
        return [(slice(0, size), slice(0, size))]
    step = tile or (_ON_CPU if device.type == "cpu" else _ELSEWHERE)
    found = [slice(start, min(start + step, size)) for start in range(0, size, step)]
    return [(first, second) for number, first in enumerate(found) for second in found[number:]]
