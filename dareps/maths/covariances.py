"""Covariances as points of the manifold of positive definite matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from dareps.maths.envelope import with_gradient
from dareps.maths.moments import centred_rows


def log_euclidean_distance(source: Tensor, target: Tensor, ridge: float) -> Tensor:
    """|log A - log B|_F^2 of the covariances over n - 1 with a ridge, 0-d; source (n, d), target (m, d).

    A = C_s + r I and B = C_t + r I, with r = ridge (tr C_s + tr C_t) / (2 d), which is differentiated through; where no
    row varies both are ridge I.
    """
    a, b = _covariance(source), _covariance(target)
    spread = (a.trace() + b.trace()) / (2 * len(a))
    spread = spread.masked_fill(spread <= torch.finfo(spread.dtype).tiny, 1)
    floor = torch.eye(len(a), dtype=a.dtype, device=a.device) * (ridge * spread)
    return log_distance(a + floor, b + floor)


def log_distance(a: Tensor, b: Tensor) -> Tensor:
    """|log a - log b|_F^2 of positive definite a and b (d, d), 0-d.

    The gradient is U (Phi * U' 2 (log a - log b) U) U' with Phi the divided differences of the logarithm at the
    eigenvalues (Daleckii & Krein), which is finite where eigenvalues repeat; that of an eigenvector is not.
    """
    (values_a, basis_a), (values_b, basis_b) = _eigen(a), _eigen(b)
    gap = _log(values_a, basis_a) - _log(values_b, basis_b)
    # Eigenvalues of NaN would be an error that stops every seed: they are those of another matrix, and NaN is added.
    value = gap.square().sum() + 0 * (a.detach() + b.detach()).sum()
    value = with_gradient(value, a, _log_slope(values_a, basis_a, 2 * gap))
    return with_gradient(value, b, _log_slope(values_b, basis_b, -2 * gap))


def _covariance(rows: Tensor) -> Tensor:
    centred: Tensor = centred_rows(rows) / (len(rows) - 1) ** 0.5
    return centred.T @ centred


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    values, basis = torch.linalg.eigh(matrix.detach().nan_to_num(0, 0, 0))
    return values.clamp_min(torch.finfo(values.dtype).tiny), basis


def _log(values: Tensor, basis: Tensor) -> Tensor:
    return (basis * values.log()) @ basis.T


def _log_slope(values: Tensor, basis: Tensor, direction: Tensor) -> Tensor:
    """The derivative of the matrix logarithm applied to `direction` (d, d)."""
    return basis @ (_divided_differences(values) * (basis.T @ direction @ basis)) @ basis.T


def _divided_differences(values: Tensor) -> Tensor:
    """(log a - log b) / (a - b) for all pairs of `values` (d,), and 1 / a where they are equal.

    With b (1 + t) = a it is log1p(t) / (t b), which loses no digits for nearly equal values; b is the smaller one.
    """
    low = torch.minimum(values.unsqueeze(0), values.unsqueeze(1))
    ratio = (values.unsqueeze(0) - values.unsqueeze(1)).abs() / low
    same = ratio == 0
    return torch.where(same, 1, ratio.log1p() / ratio.masked_fill(same, 1)) / low
