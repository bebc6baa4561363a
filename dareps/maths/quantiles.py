"""One-dimensional optimal transport along directions: sorted projections, compared quantile by quantile."""

from __future__ import annotations

import torch
from torch import Tensor

from dareps.maths._order import ascending
from dareps.maths.eager import Eager
from dareps.maths.kernels import centre_, pooled_rows

_MOST = 1e-30


def unit_columns(vectors: Tensor) -> Tensor:
    """Columns of (d, p) divided by their norms; a column of 0 stays 0."""
    largest = vectors.abs().amax(0).clamp_min(_MOST)
    vectors = vectors / largest
    return vectors / vectors.square().sum(0).sqrt().clamp_min(_MOST)


def transport_along(source: Tensor, target: Tensor, directions: Tensor) -> Tensor:
    """Squared 2-Wasserstein distances (p,) between projections of source (n, d) and target (m, d) on (d, p).

    Exact for any n and m: both quantile functions are constant between neighbours on the merged grid of i / n, j / m.
    """
    n, m = len(source), len(target)
    x, y = (source @ directions).sort(0).values, (target @ directions).sort(0).values
    if n == m:
        return (x - y).square().mean(0)
    of_source, of_target, widths = _merged_grid(n, m, source)
    gaps = x.index_select(0, of_source) - y.index_select(0, of_target)
    return widths @ gaps.square()


def mean_transport(source: Tensor, target: Tensor, directions: Tensor) -> Tensor:
    """Mean of `transport_along` over the directions (d, p), 0-d; its gradient needs no second sort.

    Projections are sorted in rows, each of which is one piece of memory.
    """

    def run(wanted: bool, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        directions, *sides = tensors
        rows, n = centre_(torch.cat(sides)), len(sides[0])
        along = [directions.T @ side.T for side in (rows[:n], rows[n:])]
        orders = [ascending(each) for each in along]
        x, y = (each.gather(1, order) for each, order in zip(along, orders, strict=True))
        value, slopes = _row_transport(x, y)
        if not wanted:
            return value, rows.new_zeros(0), rows.new_zeros(0)
        back = zip(along, orders, slopes, strict=True)
        moves = [each.scatter_(1, order, slope).T @ directions.T for each, order, slope in back]
        return value, *moves

    def plain(directions: Tensor, source: Tensor, target: Tensor) -> Tensor:
        rows, n = pooled_rows(source, target), len(source)
        return transport_along(rows[:n], rows[n:], directions).mean()

    return Eager(run, 1, plain)(directions.detach(), source, target)


def _row_transport(x: Tensor, y: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Mean squared distance, 0-d, of sorted rows (p, n) and (p, m) as quantile functions, and its slopes by both."""
    (p, n), m = x.shape, y.shape[1]
    if n == m:
        gaps = x - y
        slope = gaps * (2 / (p * n))
        return gaps.square().sum() / (p * n), (slope, -slope)
    of_x, of_y, widths = _merged_grid(n, m, x)
    gaps = x.index_select(1, of_x) - y.index_select(1, of_y)
    slope = gaps * (widths * (2 / p))
    by_x, by_y = torch.zeros_like(x).index_add_(1, of_x, slope), torch.zeros_like(y).index_add_(1, of_y, slope)
    return (gaps.square() @ widths).sum() / p, (by_x, -by_y)


def _merged_grid(n: int, m: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of sorted samples in force on each of n + m intervals of the merged grid, and the intervals' widths.

    In units of 1 / (n m), where the grid is whole numbers; what stands in both grids gives an interval of width 0.
    """
    of_source = torch.arange(1, n + 1, device=like.device) * m
    of_target = torch.arange(1, m + 1, device=like.device) * n
    ends = torch.cat((of_source, of_target)).sort().values
    starts = torch.cat((ends.new_zeros(1), ends[:-1]))
    return (ends - 1) // m, (ends - 1) // n, (ends - starts).to(like.dtype) / (n * m)


def steepest(source: Tensor, target: Tensor, directions: Tensor, steps: int) -> Tensor:
    """Directions (d, 2 p) along which the samples lie furthest apart, by normalised ascent from unit directions (d, p).

    A step turns a direction halfway towards its gradient. The best that each start has met stand beside the last ones.
    """
    kept, top = directions, directions.new_zeros(directions.shape[1:])
    for _ in range(steps):
        slope, values = torch.func.grad(_total_along, argnums=2, has_aux=True)(source, target, directions)
        better = values > top
        kept, top = torch.where(better, directions, kept), torch.where(better, values, top)
        directions = unit_columns(directions + unit_columns(slope))
    return torch.cat((kept, directions), 1)


def _total_along(source: Tensor, target: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    values = transport_along(source, target, directions)
    return values.sum(), values
