"""Weights by inner products of gradients: those of the torchjd library, and PCGrad's."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor

from dareps.errors import ConfigError, ContractError

_TINY = 1e-30


def library(name: str) -> ModuleType:
    """`torchjd.aggregation`.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        from torchjd import aggregation
    except ImportError:
        fix = "Install it: pip install 'dareps[balancing]'."
        raise ConfigError(f"balance {name}", "it comes from the torchjd library, which is missing", fix=fix) from None
    return aggregation


def solved(name: str, weighting: Callable[[Tensor], Tensor], gram: Tensor) -> Tensor:
    """A weighting's weights (k,) of inner products (k, k).

    Raises:
        ContractError: Its solver failed.
    """
    try:
        weights = weighting(gram)
    except (ValueError, RuntimeError, ArithmeticError) as error:
        fix = "Use another balancer."
        raise ContractError(f"balance {name}", f"its solver failed ({error})", fix=fix) from None
    return weights


def projector() -> object:
    """torchjd's projector by quadprog; its own regularisation of 1e-4 would let tasks be hurt by as much."""
    from torchjd.linalg import QuadprogProjector

    return QuadprogProjector(norm_eps=1e-12, reg_eps=1e-9)


def in_turn(gram: Tensor) -> Tensor:
    """Weights (k,) of gradients that lost their conflicts one after the other, for inner products (k, k).

    Each gradient keeps the share of every other in it; one step takes the next conflict from all k of them. Their
    random orders come from torch's generator.
    """
    rows, squares, shares = torch.arange(len(gram)), gram.diagonal().clamp_min(_TINY), torch.eye(len(gram)).to(gram)
    for others in torch.rand(gram.shape).argsort(1).T:
        inner = (shares * gram[others]).sum(1).clamp(max=0)
        shares[rows, others] -= torch.where(others == rows, 0, inner / squares[others])
    return shares.sum(0)
