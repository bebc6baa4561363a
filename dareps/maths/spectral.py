"""The nuclear norm by matrix products alone.

Library decompositions make the host wait for an error code, and their derivatives divide by differences of singular
values. Neither is needed: the nuclear norm is <Q, X> with Q the polar factor U V', which is also its subgradient.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from dareps.errors import ContractError

_ROUNDING, _CUSHION = 64, 0.1


@lru_cache
def _scales(lowest: float) -> tuple[float, ...]:
    """Factors alpha that drive x -> alpha x (3 - alpha^2 x^2) / 2 from [lowest, 1] to 1 in few steps.

    alpha^2 = 3 / (1 + l + l^2) gives both ends of [l, 1] the same image, the lower end of the next interval, whose
    upper end is 1 (Chen & Chow, 2014). Nothing in [0, 1] ever leaves it. With a tiny l the largest singular values
    would be cancelled down to the smallest, digits and all, so l counts as at least a tenth.
    """
    found = []
    while 1 - lowest > torch.finfo(torch.float64).eps:
        end = max(lowest, _CUSHION)
        alpha = (3 / (1 + end + end * end)) ** 0.5
        lowest = alpha * lowest * (3 - alpha * alpha * lowest * lowest) / 2
        found.append(alpha)
    return tuple(found)


def polar_factor(matrix: Tensor) -> Tensor:
    """Q = U f(S) V' of a matrix (n, k) = U S V', by scaled Newton-Schulz iterations.

    f is 1 for singular values above 64 roundings of the largest possible one, falls to 0 at 0 below that, and never
    leaves [0, 1]: Q is a subgradient of the nuclear norm whatever the rank, and depends continuously on the matrix.
    """
    x = matrix if len(matrix) >= matrix.shape[1] else matrix.T
    # No singular value exceeds the root of the largest row sum times the largest column sum of magnitudes.
    largest = x.abs().sum(0).amax().sqrt() * x.abs().sum(1).amax().sqrt()
    x = x / largest.masked_fill(largest == 0, 1)
    for alpha in _scales(_ROUNDING * torch.finfo(x.dtype).eps):
        x = torch.addmm(x, x, x.T @ x, beta=1.5 * alpha, alpha=-0.5 * alpha**3)
    return x if len(matrix) >= matrix.shape[1] else x.T


class _NuclearNorm(torch.autograd.Function):
    """(<Q, X>, Q) with gradient Q of the first; the gradient of Q itself is refused instead of a silent 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix: Tensor) -> tuple[Tensor, Tensor]:
        factor = polar_factor(matrix)
        return (factor * matrix).sum(), factor

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, slope: Tensor | None, slope_of_factor: Tensor | None) -> Tensor | None:
        if slope_of_factor is not None:
            what = "its second derivatives are not defined at repeated singular values"
            raise ContractError("nuclear norm", what, fix="Differentiate it once.")
        (factor,) = ctx.saved_tensors
        return None if slope is None else slope * factor


def nuclear_norm(matrix: Tensor) -> Tensor:
    """Sum of the singular values of a matrix (n, k), 0-d, with a gradient of at most unit singular values."""
    value: Tensor = _NuclearNorm.apply(matrix)[0]
    return value
