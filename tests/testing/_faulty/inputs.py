"""Faults that show on inputs that batches turn into when training goes wrong, on sizes and on precisions."""

import torch

from .plain import biased, cross, gap


def source_spread(x, y):
    """pytorch-adapt: the scale is that of the source alone; a guard on the whole batch misses a collapsed source.

    The value is finite there, the gradient of the root is not.
    """
    own = cross(x, x).mean()
    spread = torch.where(cross(torch.cat((x, y)), x).sum() > 0, own, torch.ones_like(own))
    return gap(x, y) / (1 + spread.sqrt())


def spread_by_column(x, y):
    """A column that never changes on one side has the root of 0; a column that is constant in both is guarded."""
    moves = torch.cat((x, y)).var(0) > 0
    own = torch.where(moves, (y - y.mean(0)).square().mean(0), torch.ones_like(y[0]))
    return gap(x, y) / (1 + own.sqrt().sum())


def plain_variance(x, y):
    """CORAL of many: one row divides by n - 1 = 0 without a word."""
    return gap(x, y) + (x.var(0) - y.var(0)).square().sum()


def off_diagonal_mean(x, y):
    """An unbiased estimate of one row."""
    pairs = len(x) * (len(x) - 1)
    return gap(x, y) - (cross(x, x).sum() * 0 / torch.tensor(float(pairs), dtype=x.dtype))


def unscaled_moments(x, y):
    """CMD ports: the moments of unscaled features grow with the seventh power and overflow."""
    return (x.mean(0) - y.mean(0)).abs().sum() + ((x**7).mean(0) - (y**7).mean(0)).abs().sum()


def sinkhorn_without_logarithms(x, y):
    """Mean of exponentials that are not shifted by their largest."""
    return (x.exp().mean(0).log() - y.exp().mean(0).log()).square().sum()


def zero_on_nan(x, y):
    """AdaTime: the local discrepancy is 0 where it is not a number."""
    return torch.nan_to_num(biased(x, y))


def compares_before_use(x, y):
    """A comparison with NaN is false, and the other branch is a number."""
    found = gap(x, y)
    return torch.where(found > 0, found, torch.zeros_like(found))


def covariances_not_divided(x, y):
    """AdaTime: covariances are sums, so the value grows about with n^2: 2.96, 6.25, 28.3, 81.8 at n = 16 to 128."""

    def scatter(rows):
        centred = rows - rows.mean(0)
        return centred.T @ centred

    return (scatter(x) - scatter(y)).square().sum() / (4 * x.shape[1] ** 2) + gap(x, y)


def sum_over_pairs(x, y):
    return biased(x, y) * (len(x) * len(y))


def _gram_distances(x, y):
    return x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * x @ y.T


def narrow_gram_form(x, y):
    """Squared distances by a matrix product, which autocast computes with eight bits of mantissa."""
    # No distance below 0, which rounding makes of large rows on some machines: that would break another law first.
    near = lambda one, other: torch.exp(-_gram_distances(one, other).clamp_min(0) / 1e2).mean()  # noqa: E731
    return near(x, x) + near(y, y) - 2 * near(x, y)


def narrow_projection(x, y):
    """A projection with cancellation: large parts cancel in the product, but not in bfloat16."""
    weights = x.new_ones((x.shape[1], 1))
    return (((x + 1e3) @ weights).mean() - ((y + 1e3) @ weights).mean()).square()


FAULTS = {
    "degenerate inputs": [source_spread, spread_by_column],
    "single row": [plain_variance, off_diagonal_mean],
    "large inputs": [unscaled_moments, sinkhorn_without_logarithms],
    "NaN shows": [zero_on_nan, compares_before_use],
    "stable under the null": [covariances_not_divided, sum_over_pairs],
    "autocast": [narrow_gram_form, narrow_projection],
}
