"""Moments of rows: covariances and coordinate-wise central moments."""

from __future__ import annotations

from torch import Tensor


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
