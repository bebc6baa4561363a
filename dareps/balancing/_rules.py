"""The weightings of the torchjd library, by inner products of gradients."""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from dareps.errors import ConfigError, ContractError


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


def solved(name: str, weighting: torch.nn.Module, gram: Tensor) -> Tensor:
    """A weighting's weights (k,) of inner products (k, k).

    Raises:
        ContractError: Its solver failed.
    """
    try:
        weights: Tensor = weighting(gram)
    except (ValueError, RuntimeError, ArithmeticError) as error:
        fix = "Use another balancer."
        raise ContractError(f"balance {name}", f"its solver failed ({error})", fix=fix) from None
    return weights


def projector() -> object:
    """torchjd's projector by quadprog; its own regularisation of 1e-4 would let tasks be hurt by as much."""
    from torchjd.linalg import QuadprogProjector

    return QuadprogProjector(norm_eps=1e-12, reg_eps=1e-9)
