"""Inverse Gram matrices of rows, regularised so that small eigenvalues do no harm."""

from __future__ import annotations

import torch
from torch import Tensor

from dareps.maths.norms import safe_norm


def inverse_gram_distance(source: Tensor, target: Tensor, damping: float, scale: float) -> Tensor:
    """(1 - cos(P_s, P_t)) + scale (log(|P_s| / |P_t|))^2 of inverse Gram matrices P, 0-d; source (n, d), target (m, d).

    The cosine and norms are those of all entries (Frobenius); see `damped_inverse` for P.
    """
    (one, factor), (other, divisor) = (damped_inverse(rows, damping) for rows in (source, target))
    sizes = safe_norm(one.flatten().unsqueeze(0)), safe_norm(other.flatten().unsqueeze(0))
    # 1 - cos as half a squared distance of unit vectors: exactly 0 for equal sides, and no cancellation near that.
    angle = (one / sizes[0] - other / sizes[1]).square().sum() / 2
    ratio = (sizes[0] / sizes[1]).log() - (factor / divisor).log()
    return angle + scale * ratio.square().squeeze()


def damped_inverse(rows: Tensor, damping: float) -> tuple[Tensor, Tensor]:
    """P = G (G^2 + r^2 I)^-1 of the Gram matrix G = Z'Z / n with Z = [1, rows], as (t P, t); rows (n, d).

    t = tr G >= 1 is divided out before anything is squared twice, and r = damping t. An eigenvalue v of G is
    v / (v^2 + r^2) in P: about 1 / v where v is large against r, and about 0 where it is small. With more columns than
    rows, the same comes from an n x n inverse: Z' (K^2 + r^2 I)^-1 Z / n with K = Z Z' / n.
    """
    n = len(rows)
    z = torch.cat((rows.new_ones(n, 1), rows), dim=1) / n**0.5
    trace = z.square().sum()
    z = z / trace.sqrt()
    wide = z.shape[1] > n
    gram = z @ z.T if wide else z.T @ z
    floor = damping**2 * torch.eye(len(gram), dtype=z.dtype, device=z.device)
    # Without the check of `inv`, which would wait for the device: the floor keeps it away from singular matrices.
    inverse = torch.linalg.inv_ex(gram @ gram + floor).inverse
    return z.T @ inverse @ z if wide else gram @ inverse, trace
