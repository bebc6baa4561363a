"""Moments of rows: covariances and coordinate-wise central moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, repeat
from operator import mul
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from dareps.maths.eager import transformed
from dareps.maths.norms import safe_norm

# A block and its powers should stay in a core's cache.
_BLOCK = 1 << 17


def centred_rows(rows: Tensor) -> Tensor:
    """Rows (n, d) minus their mean."""
    return rows - rows.mean(0, keepdim=True)


def _squared_norm(matrix: Tensor) -> Tensor:
    return matrix.square().sum()


def covariance_distance(source: Tensor, target: Tensor) -> Tensor:
    """|C_s - C_t|_F^2 of the covariances over n - 1, 0-d; source (n, d), target (m, d).

    With A = (X - mean) / sqrt(n - 1) the covariance is A'A. When d exceeds the number of rows the three n x n products
    of |A A'|^2 + |B B'|^2 - 2 |A B'|^2 give the same number without a d x d matrix.
    """
    n, m = len(source), len(target)
    a = centred_rows(source) / (n - 1) ** 0.5
    b = centred_rows(target) / (m - 1) ** 0.5
    if source.shape[1] > max(n, m):
        return _squared_norm(a @ a.T) + _squared_norm(b @ b.T) - 2 * _squared_norm(a @ b.T)
    return _squared_norm(a.T @ a - b.T @ b)


def moments(rows: Tensor, order: int) -> list[Tensor]:
    """The mean and the central moments 2..order of each coordinate, biased (over n): `order` tensors (d,)."""
    mean = rows.mean(0)
    centred = power = rows - mean
    found = [mean]
    for _ in range(order - 1):
        power = power * centred
        found.append(power.mean(0))
    return found


def moment_distance(source: Tensor, target: Tensor, order: int, width: float = 1.0) -> Tensor:
    """Sum over k = 1..order of |c_k(X) - c_k(Y)| / width^k, c_1 the mean and c_k the central moments, 0-d.

    Powers are made block by block, once for the moments and once for the gradient, which is a polynomial in x - mean:
    the one of c_k by a row is k / n ((x - mean)^(k - 1) - c_(k - 1)).

    Args:
        source: Rows (n, d).
        target: Rows (m, d).
        order: The highest k.
        width: Of the support.
    """
    if transformed():
        return _plain_distance(source, target, order, width)
    found = [_CentralMoments.apply(rows, order, width) for rows in (source, target)]
    return safe_norm(found[0] - found[1]).sum()


def _plain_distance(source: Tensor, target: Tensor, order: int, width: float) -> Tensor:
    return safe_norm(_plain_moments(source, order, width) - _plain_moments(target, order, width)).sum()


def _plain_moments(rows: Tensor, order: int, width: float) -> Tensor:
    # Dividing the rows once is dividing the k-th moment by width^k.
    return torch.stack(moments(rows / width, order))


class _CentralMoments(Function):
    """`moments` of rows / width, (order, d); the powers of the rows are made again for the gradient, not kept."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: int, width: float) -> Tensor:
        found = _moments_by_block(rows, order, width)
        ctx.settings = order, width
        ctx.save_for_backward(rows, found)
        ctx.save_for_forward(rows, found)
        return found

    @staticmethod
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor, None, None]:
        rows, found = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return _moment_slope(rows, found, direction, ctx.settings[1]), None, None
        with torch.enable_grad():
            plain = _plain_moments(rows, *ctx.settings)
        (slope,) = torch.autograd.grad(plain, rows, direction, create_graph=True)
        return slope, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        rows, _found = ctx.saved_tensors
        order, width = ctx.settings
        power, move = centred_rows(rows) / width, centred_rows(tangent) / width
        moved = [tangent.mean(0) / width]
        for k, powers in enumerate(accumulate(repeat(power, order - 1), mul), start=2):
            moved.append(k * (powers * move).mean(0))
        return torch.stack(moved)


def _blocks(rows: Tensor, mean: Tensor, width: float) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of (rows - mean) / width."""
    step = max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        at = slice(start, min(start + step, len(rows)))
        centred = rows[at] - mean
        yield at, centred if width == 1 else centred.div_(width)


def _moments_by_block(rows: Tensor, order: int, width: float) -> Tensor:
    """`moments` of rows / width, (order, d)."""
    mean = rows.mean(0)
    found = rows.new_zeros(order, rows.shape[1])
    for _, centred in _blocks(rows, mean, width):
        power = centred
        for k in range(1, order):
            power = power * centred if k == 1 else power.mul_(centred)
            found[k] += power.sum(0)
    found.div_(len(rows))
    found[0] = mean / width
    return found


def _moment_slope(rows: Tensor, found: Tensor, direction: Tensor, width: float) -> Tensor:
    """Gradient (n, d) of sum over k of <direction_k, c_k / width^k> by rows (n, d), by Horner's rule."""
    count = torch.arange(1, len(direction) + 1, dtype=rows.dtype, device=rows.device).unsqueeze(1)
    factors = direction * count / (len(rows) * width)
    # Central moments do not move with the mean.
    constant = factors[0] - (factors[2:] * found[1:-1]).sum(0)
    result = torch.empty_like(rows)
    for at, centred in _blocks(rows, found[0] * width, width):
        _horner([constant, *factors[1:]], centred, result[at])
    return result


def _horner(factors: Sequence[Tensor], x: Tensor, out: Tensor) -> None:
    """sum over k of factors_k x^k, each factor (d,), x (n, d), into `out`."""
    if len(factors) == 1:
        out.copy_(factors[0].expand_as(x))
        return
    total = factors[-1]
    for factor in reversed(factors[1:-1]):
        total = torch.addcmul(factor, x, total)
    torch.addcmul(factors[0], x, total, out=out)
