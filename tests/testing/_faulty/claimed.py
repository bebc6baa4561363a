"""Faults of losses that say more of themselves than holds."""

import torch

from .plain import biased, cross, rbf


def one_sided_bandwidth(x, y):
    """pytorch-adapt: the bandwidth comes from the source alone."""
    width = cross(x, x).mean().detach() + 1
    return biased(x, y, width=width)


def _off_diagonal(x):
    return (rbf(x, x).sum() - len(x)) / (len(x) * max(len(x) - 1, 1))


def u_statistic(x, y):
    return _off_diagonal(x) + _off_diagonal(y) - 2 * rbf(x, y).mean()


def constant_offset(x, y):
    """tllib: 2 / (n - 1) is added to keep the value positive."""
    return biased(x, y) + 1e-3


def dropped_diagonal(x, y):
    return biased(x, y) - 2 / len(x)


def raw_second_moments(x, y):
    """A covariance without centring."""
    return (x.T @ x / len(x) - y.T @ y / len(y)).square().sum()


def coordinate_wise(x, y):
    return (x.mean(0) - y.mean(0)).abs().sum()


def wrong_degree(x, y):
    return (x.mean(0) - y.mean(0)).square().sum()


def target_scale(x, y):
    """skada: what distances are divided by comes from one side alone."""
    return (x.mean(0) - y.mean(0)).square().sum() / (1 + y.square().mean())


def diagonal_of_one_term(x, y):
    """tllib: the pairs of a row with itself are left out of a term, so that the value of alike samples is not 0."""
    return _off_diagonal(x) + rbf(y, y).mean() - 2 * rbf(x, y).mean()


def polynomial_kernel(x, y):
    """Dassl: a polynomial kernel, which knows where the origin is."""

    def kernel(a, b):
        return ((a.unsqueeze(1) * b).sum(-1) / 1e4 + 1).square().mean()

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)


def laplace_of_sums(x, y):
    """skada: a kernel of another distance than the one it is named after, here the sum of absolute differences."""

    def kernel(a, b):
        return torch.exp(-(a[:, None] - b[None]).abs().sum(-1) / 1e2).mean()

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)


def scale_with_floor(x, y):
    """DomainBed: a constant scale beside features of any scale."""
    gap = (x.mean(0) - y.mean(0)).square().sum()
    return gap / (1 + (x - x.mean(0)).square().mean() + (y - y.mean(0)).square().mean())


def covariance_over_n_minus_1(x, y):
    def covariance(rows):
        centred = rows - rows.mean(0)
        return centred.T @ centred / max(len(rows) - 1, 1)

    return (covariance(x) - covariance(y)).square().sum() + (x.mean(0) - y.mean(0)).square().sum()


def biased_called_unbiased(x, y):
    """skada: a biased estimate reads 2.27 for two samples of one law."""
    return biased(x, y)


def clamped_at_zero(x, y):
    """An unbiased estimate that is clamped where it is negative is unbiased no more."""
    return u_statistic(x, y).clamp_min(0) + 1e-6 * u_statistic(x, y)


def drops_one_diagonal(x, y):
    """Dassl: only one of the two terms lacks its diagonal, and equal laws read -1.5."""
    return _off_diagonal(x) + rbf(y, y).mean() - 2 * rbf(x, y).mean()


def centred_before(x, y):
    """Centring twice changes nothing but the rounding."""
    return centred_anyway(x - x.mean(0), y - y.mean(0)) + (x.mean(0) - y.mean(0)).square().sum()


def centred_anyway(x, y):
    """skada: `assume_centered` is handed to a function that centres in any case."""
    return (x.mean(0) - y.mean(0)).square().sum() + (x.var(0, correction=0) - y.var(0, correction=0)).square().sum()


FAULTS = {
    "symmetric": [one_sided_bandwidth, target_scale],
    "nonnegative": [u_statistic, dropped_diagonal],
    "zero on identical": [constant_offset, diagonal_of_one_term],
    "translation": [raw_second_moments, polynomial_kernel],
    "rotation": [coordinate_wise, laplace_of_sums],
    "scale": [wrong_degree, scale_with_floor],
    "duplication": [covariance_over_n_minus_1, u_statistic],
    "settings count": [centred_anyway],
    "unbiased": [biased_called_unbiased, clamped_at_zero, drops_one_diagonal],
}
CLAIMS = {
    "symmetric": {"symmetric": True},
    "nonnegative": {"nonnegative": True},
    "zero on identical": {"zero_on_identical": True},
    "translation": {"translation": True},
    "rotation": {"rotation": True},
    "scale": {"scale": 1.0},
    "duplication": {"duplication": True},
    "unbiased": {"unbiased": True},
}
OF_ONE = {centred_anyway: {"settings": {"assume_centered": centred_before}}}
