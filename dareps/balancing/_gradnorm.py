"""Weights by gradient norms, as state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dareps.balancing._modules import Balanced, ByNorms, picked
from dareps.types import Meeting, Step, Task

LEAST = 1e-3
"""Smallest weight: one of 0 would never come back."""
_TINY = 1e-30


class EvenNorms(ByNorms):
    """sum_t w_t L_t; see `dareps.balancing.gradnorm.GradNorm`.

    Args:
        tasks: All tasks.
        alpha: Exponent of the relative rates.
        rate: Step size.
        of: Where gradients are taken.
    """

    weights: Tensor
    first: Tensor

    def __init__(self, tasks: Sequence[Task], alpha: float, rate: float, of: Meeting) -> None:
        super().__init__(tasks, "gradnorm", of)
        self.alpha, self.rate = alpha, rate
        self.register_buffer("weights", torch.ones(len(tasks)))
        self.register_buffer("first", torch.zeros(len(tasks)))

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The sum with the weights as they stand, which then take a step in training.

        Raises:
            ContractError: There is no gram, or a task has no loss in this step.
        """
        seen = self.norms_of(losses, gram)
        weights = picked(self.weights, seen.order).clone().to(seen.values.dtype)
        if self.training:
            self._descend(seen.losses, seen.squares)
        return Balanced((weights * seen.values).sum(), dict(zip(losses, weights.unbind(), strict=True)))

    def _descend(self, losses: Tensor, squares: Tensor) -> None:
        """One step of the weights for losses (T,) and squared gradient norms (T,)."""
        self.first.copy_(torch.where(self.first > 0, self.first, losses))
        share = losses / self.first.clamp_min(_TINY)
        rates = share / share.mean().clamp_min(_TINY)
        norms = squares.clamp_min(0).sqrt()
        weighted = self.weights * norms
        mean = weighted.mean().clamp_min(_TINY)
        slope = torch.sign(weighted - mean * rates**self.alpha) * norms / mean
        moved = (self.weights - self.rate * slope).clamp_min(LEAST)
        self.weights.copy_(len(losses) * moved / moved.sum())
