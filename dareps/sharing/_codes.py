"""How far two codes of the same rows speak of the same, and how well a row is reconstructed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

_ROUNDINGS = 1000


def centred(codes: Tensor) -> Tensor:
    """Codes (n, d) less the mean of each column."""
    return codes - codes.mean(0)


def frobenius(shared: Tensor, private: Tensor) -> Tensor:
    """|H_c' H_p|_F^2 of codes (n, d) and (n, e), 0-d (Bousmalis et al., NIPS 2016, eq. 5)."""
    return (shared.T @ private).square().sum()


def normalised(shared: Tensor, private: Tensor) -> Tensor:
    """Mean of the squared entries of H_c' H_p with columns centred and rows of unit length, 0-d."""
    one, other = (_unit(centred(codes), codes, 1) for codes in (shared, private))
    return (one.T @ other).square().mean()


def scale_free(shared: Tensor, private: Tensor) -> Tensor:
    """Linear CKA of codes (n, d) and (n, e), 0-d in [0, 1] (Kornblith et al., ICML 2019, eq. 3); 0 for constant codes.

    |X' Y|_F^2 = <X X', Y Y'>, so the larger of n and d never meets itself where that can be helped.
    """
    one, other = (_unit(centred(codes), codes, (0, 1)) for codes in (shared, private))
    if len(one) < one.shape[1]:
        return _cosine(one @ one.T, other @ other.T)
    return (one.T @ other).square().sum() * _inverse(one.T @ one) * _inverse(other.T @ other)


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum() * _inverse(first) * _inverse(second)


def _inverse(gram: Tensor) -> Tensor:
    """|X|_F^2 / |X' X|_F: 1 / |X' X|_F for codes of norm 1."""
    return gram.diagonal().sum() * (gram.square().sum() + _smallest(gram)).rsqrt()


def _unit(codes: Tensor, raw: Tensor, axes: int | tuple[int, int]) -> Tensor:
    """Centred codes over their norm along some axes.

    What varies by less than a thousand roundings of its own size is not blown up: it stays far below a norm of 1.
    Dividing by the largest entry first keeps squares from vanishing and from overflowing.
    """
    largest = raw.detach().abs().amax().clamp_min(torch.finfo(codes.dtype).tiny)
    codes, raw = codes / largest, raw / largest
    square = codes.square().sum(axes, keepdim=True)
    floor = (_ROUNDINGS * torch.finfo(codes.dtype).eps) ** 2 * raw.square().sum(axes, keepdim=True)
    whole = square + floor + _smallest(codes)
    return codes * (square / whole) * whole.rsqrt()


def _smallest(values: Tensor) -> float:
    """A number whose root has a finite slope."""
    return float(torch.finfo(values.dtype).tiny ** 0.5)


DIFFERENCES: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "scale_free": scale_free,
    "normalised": normalised,
    "frobenius": frobenius,
}


def squared_error(x: Tensor, found: Tensor) -> Tensor:
    """|x - y|^2 / k of each row, k values a row: (n,)."""
    return (x - found).flatten(1).square().mean(1)


def scale_invariant_error(x: Tensor, found: Tensor) -> Tensor:
    """|x - y|^2 / k - (1'(x - y))^2 / k^2 of each row, k values a row: (n,) (Bousmalis et al., NIPS 2016, eq. 4).

    Written as the variance of x - y within the row, which it is, so that rounding cannot make it negative.
    """
    error = (x - found).flatten(1)
    return (error - error.mean(1, keepdim=True)).square().mean(1)


ERRORS: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "scale_invariant": scale_invariant_error,
    "squared": squared_error,
}
