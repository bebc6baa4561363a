"""Weighted sums of a kernel over all pairs of rows, in one piece or in tiles with memory linear in the rows.

A discrepancy between samples is such a sum: the biased one of MMD is w' K w with w = 1/n on the source and -1/m on the
target. The kernel enters less its value at distance 0, because weights that sum to 0 do so only up to rounding: equal
rows then give exactly 0, and what is near 0 keeps its digits.

A tile is a block of rows against all rows from its first one on, because weights and kernel are symmetric. When a
gradient is wanted it is accumulated along with the value, so that no tile is made twice or kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Never

import torch
from torch import Tensor
from torch.autograd import Function

from dareps.errors import ContractError
from dareps.maths.kernels import Kernel, squared_distances, squared_norms

UNTILED: Final = 1024
"""Up to how many pooled rows, about 512 a side, a kernel matrix is made in one piece."""
# A tile should stay in a core's cache; on an accelerator it should be worth the launch of its kernels.
_ON_CPU, _ELSEWHERE = 1 << 18, 1 << 22


def pair_sum(
    layers: Sequence[Tensor], kernels: Sequence[Kernel], left: Tensor, right: Tensor, tile: int | None = None
) -> Tensor:
    """sum over i, j of (left right')_ij (K_ij - K(0)), K_ij = prod over layers l of k_l(|z_i^l - z_j^l|^2), 0-d.

    Args:
        layers: Centred rows (n, d_l) of each layer, divided by the root of their bandwidth.
        kernels: One per layer.
        left: (n, r), without gradient.
        right: Likewise; left right' has to be symmetric.
        tile: Rows in a tile; left out, chosen by size, and up to `UNTILED` rows are no tiles at all.

    Raises:
        ContractError: When a sum in tiles is differentiated twice.
    """
    left, right = left.detach(), right.detach()
    size = len(left)
    if tile is None and size <= UNTILED:
        return _in_one_piece(layers, kernels, left, right)
    plan = _Plan(tuple(kernels), tile or _tile(size, left.device), _wants_gradient(layers))
    value: Tensor = _PairSum.apply(plan, left, right, *layers)[0]
    return value


def _in_one_piece(layers: Sequence[Tensor], kernels: Sequence[Kernel], left: Tensor, right: Tensor) -> Tensor:
    product: Tensor | float = 1.0
    for rows, kernel in zip(layers, kernels, strict=True):
        product = kernel.value(squared_distances(rows, kernel.rooted), 1.0) * product
    assert isinstance(product, Tensor)
    return (left * ((product - _peak(kernels)) @ right)).sum()


def _peak(kernels: Sequence[Kernel]) -> int:
    return math.prod(kernel.peak for kernel in kernels)


def _tile(size: int, device: torch.device) -> int:
    return max(1, (_ON_CPU if device.type == "cpu" else _ELSEWHERE) // size)


def _wants_gradient(layers: Sequence[Tensor]) -> bool:
    return torch.is_grad_enabled() and any(rows.requires_grad for rows in layers)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a sum is made: `wanted` says whether the gradient comes with it."""

    kernels: tuple[Kernel, ...]
    tile: int
    wanted: bool


class _PairSum(Function):
    """The sum in tiles, and its gradient by every layer as outputs that are not differentiable (empty if unwanted)."""

    @staticmethod
    def forward(plan: _Plan, left: Tensor, right: Tensor, *layers: Tensor) -> tuple[Tensor, ...]:
        return _Sweep(plan, layers).over(left, right)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.plan, *tensors = inputs
        kept = (*tensors, *output[1:])
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)

    @staticmethod
    def backward(ctx: Any, factor: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        layers, gradients = _kept(ctx)
        pairs = zip(gradients, layers, strict=True)
        return (None, None, None, *(_FirstOrder.apply(factor, *pair) for pair in pairs))

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        layers, gradients = _kept(ctx)
        moves = zip(gradients, tangents[3:], layers, strict=True)
        parts = [_FirstOrder.apply(move, gradient, rows).sum() for gradient, move, rows in moves if move is not None]
        return (torch.stack(parts).sum(), *(None for _ in layers))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], plan: _Plan, *tensors: Tensor) -> tuple[Any, Any]:
        # Copies take turns: tiles of all of them at once would be as many times larger.
        plan = replace(plan, wanted=plan.wanted or _wants_gradient(tensors[2:]))
        moved = [x if dim is None else x.movedim(dim, 0) for x, dim in zip(tensors, in_dims[1:], strict=True)]
        found = []
        for copy in range(info.batch_size):
            own = [x if dim is None else x[copy] for x, dim in zip(moved, in_dims[1:], strict=True)]
            found.append(_PairSum.apply(plan, *own))
        stacked = tuple(torch.stack(parts) for parts in zip(*found, strict=True))
        return stacked, (0,) * len(stacked)


def _kept(ctx: Any) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The layers and the gradients by them, which are made now where nobody seemed to want them before."""
    count = len(ctx.plan.kernels)
    left, right, *rest = ctx.saved_tensors
    layers, gradients = tuple(rest[:count]), tuple(rest[count:])
    if not ctx.plan.wanted:
        plan = replace(ctx.plan, wanted=True)
        gradients = _PairSum.apply(plan, left, right, *layers)[1:]
    return layers, gradients


class _FirstOrder(Function):
    """factor x gradient, for a gradient that is a function of `rows` but carries no graph.

    Differentiating it again is refused, because what would come out is 0 and wrong.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(factor: Tensor, gradient: Tensor, rows: Tensor) -> Tensor:
        return factor * gradient

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Nothing is kept: there is no second derivative."""

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Never:
        _refuse()

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> Never:
        _refuse()


def _refuse() -> Never:
    what = "a kernel sum in tiles has first derivatives only and was differentiated twice"
    raise ContractError("maths.pairs", what, fix=f"Use at most {UNTILED} rows, source and target together.")


class _Sweep:
    """One pass over the tiles.

    Args:
        plan: How to go.
        layers: Rows (n, d_l) of each layer.
    """

    def __init__(self, plan: _Plan, layers: Sequence[Tensor]) -> None:
        self.plan, self.layers = plan, layers
        self.norms = [squared_norms(rows, kernel.rooted) for rows, kernel in zip(layers, plan.kernels, strict=True)]
        self.value = layers[0].new_zeros(())
        self.gradients = [torch.zeros_like(rows) if plan.wanted else rows.new_zeros(0) for rows in layers]
        self.masses = [rows.new_zeros(len(rows), 1) for rows in layers]

    def over(self, left: Tensor, right: Tensor) -> tuple[Tensor, ...]:
        """The value (0-d) and the gradients."""
        for start in range(0, len(left), self.plan.tile):
            stop = min(start + self.plan.tile, len(left))
            weights = left[start:stop] @ right[start:].T
            weights[:, stop - start :] *= 2  # also for the pairs (j, i), which no tile holds
            (self._with_slopes if self.plan.wanted else self._alone)(start, stop, weights)
        if self.plan.wanted:
            for gradient, rows, mass in zip(self.gradients, self.layers, self.masses, strict=True):
                gradient.addcmul_(rows, mass, value=2)
        return (self.value, *self.gradients)

    def _distances(self, layer: int, start: int, stop: int) -> Tensor:
        rows, norms = self.layers[layer], self.norms[layer]
        gram = torch.addmm(norms[start:].unsqueeze(0), rows[start:stop], rows[start:].T, alpha=-2)
        return gram.add_(norms[start:stop].unsqueeze(1)).clamp_min_(0)

    def _alone(self, start: int, stop: int, weights: Tensor) -> None:
        self._add(weights, [k.value(self._distances(i, start, stop), 1.0) for i, k in enumerate(self.plan.kernels)])

    def _add(self, weights: Tensor, values: Sequence[Tensor]) -> None:
        product = math.prod(values[1:], start=values[0])
        self.value += weights.mul_(product - _peak(self.plan.kernels)).sum()

    def _with_slopes(self, start: int, stop: int, weights: Tensor) -> None:
        found = [kernel.slope(self._distances(i, start, stop)) for i, kernel in enumerate(self.plan.kernels)]
        for layer, (_, slope) in enumerate(found):
            slope = slope * weights
            for other, (value, _) in enumerate(found):
                if other != layer:
                    slope *= value
            self._push(layer, start, stop, slope)
        self._add(weights, [value for value, _ in found])

    def _push(self, layer: int, start: int, stop: int, slope: Tensor) -> None:
        """d/dz_i of sum_ij s_ij |z_i - z_j|^2 is 2 sum_j s_ij (z_i - z_j); that of z_j, 2 sum_i s_ij (z_j - z_i)."""
        rows, gradient, mass = self.layers[layer], self.gradients[layer], self.masses[layer]
        gradient[start:stop].addmm_(slope, rows[start:], alpha=-2)
        gradient[start:].addmm_(slope.T, rows[start:stop], alpha=-2)
        mass[start:stop] += slope.sum(1, keepdim=True)
        mass[start:] += slope.sum(0).unsqueeze(1)
