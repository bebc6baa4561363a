"""Exact optimal transport between uniform weights, solved on the host."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dareps.errors import ContractError


class _ExactPlan(torch.autograd.Function):
    """The plan as a function without gradient; mapped over copies, the matrices are solved one after the other."""

    @staticmethod
    def forward(cost: Tensor) -> Tensor:
        return torch.from_numpy(solve(cost.detach().cpu().double().numpy())).to(cost)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> None:
        """The plan carries no gradient."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], cost: Tensor) -> tuple[Tensor, int]:
        """Plans of a stack of costs."""
        return torch.stack([_ExactPlan.apply(each) for each in cost.unbind(in_dims[0])]), 0


def exact_plan(cost: Tensor) -> Tensor:
    """The plan (n, m) of least cost with rows that sum to 1 / n and columns that sum to 1 / m, without gradient.

    One matrix goes to the host and one comes back.
    """
    return cast(Tensor, _ExactPlan.apply(cost.detach()))


def solve(cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """An optimal plan of a cost (n, m), by POT's network simplex.

    Costs that are no numbers count as 0: the loss that they enter is no number either, and says so.

    Raises:
        ContractError: POT is not installed.
    """
    try:
        import ot
    except ImportError:
        fix = "Install it: pip install 'dareps[ot]'. The entropic solver needs nothing."
        raise ContractError("exact transport", "it is solved by the POT library, which is missing", fix=fix) from None
    known = np.nan_to_num(cost, nan=0.0, posinf=0.0, neginf=0.0)
    # The simplex works with absolute tolerances, so costs come to it with 1 as the largest.
    plan: NDArray[np.float64] = ot.emd([], [], known / (np.abs(known).max() or 1), numItermax=10_000_000)
    return plan
