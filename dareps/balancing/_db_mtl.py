"""Running norms of the gradients of logarithms of losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dareps.balancing._modules import Balanced, BalancerModule, picked
from dareps.errors import ContractError
from dareps.types import Meeting, Step, Task

TINY = 1e-12
"""Losses and norms up to this count as 0."""


class LongestNorms(BalancerModule):
    """sum_t a_t log L_t; see `dareps.balancing.db_mtl.DBMTL`.

    Args:
        tasks: All tasks.
        beta: Share of the last norms that is kept.
        of: Where gradients are taken.
    """

    norms: Tensor

    def __init__(self, tasks: Sequence[Task], beta: float, of: Meeting) -> None:
        super().__init__(tasks)
        self.beta, self.reads = beta, of
        self.register_buffer("norms", torch.zeros(len(tasks)))

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The objective and its slopes a_t / L_t; in training this step's norms are taken in first.

        Raises:
            ContractError: There is no gram, or a task has no loss in this step.
        """
        if gram is None or len(losses) < len(self.names):
            what = "it needs the losses of all tasks and their gradients' inner products"
            raise ContractError("balance db_mtl", what, list(losses), "Give all tasks and `gram`.")
        values, order = torch.stack(list(losses.values())), self.places(losses)
        own = [order.index(place) for place in range(len(order))]
        norms = self._taken(picked(values.detach(), own), picked(gram.detach().diagonal(), own))
        factors = torch.where(norms > TINY, norms.max() / norms.clamp_min(TINY), 1)
        factors = picked(factors, order).to(values.dtype)
        weights = torch.where(values > TINY, factors / values.detach().clamp_min(TINY), 0)
        total = (factors * values.clamp_min(TINY).log()).sum()
        return Balanced(total, dict(zip(losses, weights.unbind(), strict=True)))

    def _taken(self, losses: Tensor, squares: Tensor) -> Tensor:
        """The running norms with those of losses (T,) and squared gradient norms (T,) taken in."""
        now = (squares.clamp_min(0).sqrt() / losses.clamp_min(TINY)).to(self.norms.dtype)
        moved = torch.where(self.norms > 0, self.beta * self.norms + (1 - self.beta) * now, now)
        norms = torch.where(losses > TINY, moved, self.norms)
        if self.training:
            self.norms.copy_(norms)
        return norms
