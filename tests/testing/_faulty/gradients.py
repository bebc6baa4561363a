"""Faults of the gradient alone: the value is right."""

import torch

from .plain import biased, cross, gap


def _taught(value, other):
    """The value of one and the gradient of another."""
    return value.detach() + (other - other.detach())


def first_row_detached(x, y):
    """A memory of earlier rows, which carry no gradient, in front of the batch."""
    return gap(torch.cat((x[:1].detach(), x[1:])), y)


def later_rows_count_more(x, y):
    weights = torch.arange(1, len(x) + 1, dtype=x.dtype)[:, None]
    return _taught(gap(x, y), gap(x * weights, y))


def half_detached(x, y):
    """One side learns at half the rate of the other."""
    return gap((x + x.detach()) / 2, y)


def one_term_detached(x, y):
    """AdaTime: part of a kernel discrepancy is computed without gradient."""
    with torch.no_grad():
        within = torch.exp(-cross(x, x) / 1e4).mean()
    return within + torch.exp(-cross(y, y) / 1e4).mean() - 2 * torch.exp(-cross(x, y) / 1e4).mean()


def cross_term_half_detached(x, y):
    """A loop over sides in which each treats the other as fixed, and one is forgotten."""

    def kernel(a, b):
        return torch.exp(-cross(a, b) / 1e4).mean()

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x.detach(), y)


def first_column_detached(x, y):
    return gap(torch.cat((x[:, :1].detach(), x[:, 1:]), 1), torch.cat((y[:, :1].detach(), y[:, 1:]), 1))


def sign_of_gap(x, y):
    """The gradient of absolute differences in place of squared ones: what clipping by coordinate makes of it."""
    return _taught(gap(x, y), (x.mean(0) - y.mean(0)).abs().sum())


def wrong_sign(x, y):
    return _taught(gap(x, y), -gap(x, y))


def reversed_without_opponent(x, y):
    """Gradient reversal in front of a distance: features flee what they should approach."""
    return gap(2 * x.detach() - x, 2 * y.detach() - y)


def bandwidth_with_gradient(x, y):
    """skada: the bandwidth is differentiated through, max |difference| 0.15 beside max |gradient| 0.08."""
    rows = torch.cat((x, y))
    return biased(x, y, cross(rows, rows).mean().clamp_min(1e-12))


def detached_bandwidth(x, y, kept_x, kept_y):
    """What it should be."""
    rows = torch.cat((kept_x, kept_y))
    return biased(x, y, cross(rows, rows).mean().clamp_min(1e-12))


def spread_detached(x, y):
    """A gradient that is said to be exact, with a statistic cut off from it."""
    spread = (x - x.mean(0)).square().mean() + (y - y.mean(0)).square().mean()
    return gap(x, y) / (1 + spread.detach())


def missing_factor(x, y):
    """A derivative written by hand that lacks its 2."""
    return _taught(gap(x, y), gap(x, y) / 2)


FAULTS = {
    "gradient row order": [first_row_detached, later_rows_count_more],
    "gradient under translation": [half_detached, cross_term_half_detached],
    "gradient under rotation": [first_column_detached, sign_of_gap],
    "gradient downhill": [wrong_sign, reversed_without_opponent],
    "gradient as defined": [bandwidth_with_gradient, one_term_detached, spread_detached, missing_factor],
}
CLAIMS = {
    "gradient under translation": {"translation": True},
    "gradient under rotation": {"rotation": True},
    "gradient downhill": {"zero_on_identical": True},
    "gradient as defined": {"gradient": True},
}
OF_ONE = {bandwidth_with_gradient: {"gradient": detached_bandwidth}}
