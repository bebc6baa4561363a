"""Running norms of the gradients of logarithms of losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dareps.balancing._modules import Balanced, ByNorms, picked
from dareps.types import Meeting, Step, Task

TINY = 1e-12
"""Losses and norms up to this count as 0."""


class LongestNorms(ByNorms):
    """sum_t a_t log L_t; see `dareps.balancing.db_mtl.DBMTL`.

    Args:
        tasks: All tasks.
        beta: Share of the last norms that is kept.
        of: Where gradients are taken.
    """

    norms: Tensor

    def __init__(self, tasks: Sequence[Task], beta: float, of: Meeting) -> None:
        super().__init__(tasks, "db_mtl", of)
        self.beta = beta
        self.register_buffer("norms", torch.zeros(len(tasks)))

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The objective and its slopes a_t / L_t; in training this step's norms are taken in first.

        Raises:
            ContractError: There is no gram, or a task has no loss in this step.
        """
        seen = self.norms_of(losses, gram)
        values, norms = seen.values, self._taken(seen.losses, seen.squares)
        factors = torch.where(norms > TINY, norms.max() / norms.clamp_min(TINY), 1)
        factors = picked(factors, seen.order).to(values.dtype)
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
