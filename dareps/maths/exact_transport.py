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
    """An optimal plan of a cost (n, m): an assignment for n = m, else a linear program.

    Costs that are no numbers count as 0: the loss that they enter is no number either, and says so.
    """
    cost = np.nan_to_num(cost, nan=0.0, posinf=0.0, neginf=0.0)
    return _assignment(cost) if cost.shape[0] == cost.shape[1] else _program(cost)


def _assignment(cost: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.optimize import linear_sum_assignment

    plan = np.zeros_like(cost)
    plan[linear_sum_assignment(cost)] = 1 / len(cost)
    return plan


def _program(cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """The transport problem in whole units of 1 / (n m), scaled to costs of at most 1."""
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, kron, vstack

    n, m = cost.shape
    rows = kron(eye_array(n), np.ones((1, m)))
    columns = kron(np.ones((1, n)), eye_array(m))
    constraints: Any = vstack((rows, columns))
    weights = np.concatenate((np.full(n, float(m)), np.full(m, float(n))))
    objective = cost.ravel() / (np.abs(cost).max() or 1)
    found = linprog(objective, A_eq=constraints, b_eq=weights, method="highs")
    if found.x is None:
        raise ContractError("exact transport", f"the linear program has no solution ({found.message})", cost.shape)
    plan: NDArray[np.float64] = found.x.reshape(n, m) / (n * m)
    return plan
