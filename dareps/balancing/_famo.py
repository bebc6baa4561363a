"""Weights from how the losses of a step's own rows changed, as state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dareps.balancing._modules import Balanced, BalancerModule, picked
from dareps.errors import ContractError
from dareps.types import Step, Task

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
"""Adam's, as the paper's figures have them."""
TINY = 1e-12
"""Losses up to this count as 0, which has no logarithm."""


class EvenRates(BalancerModule):
    """c sum_t z_t log L_t; see `dareps.balancing.famo.FAMO`.

    Args:
        tasks: All tasks.
        gamma: Pull of the logits towards 0.
        rate: Step size of the logits.
    """

    looks_again = True
    logits: Tensor
    mean: Tensor
    square: Tensor
    count: Tensor
    before: Tensor

    def __init__(self, tasks: Sequence[Task], gamma: float, rate: float) -> None:
        super().__init__(tasks)
        self.gamma, self.rate = gamma, rate
        for name in ("logits", "mean", "square", "before"):
            self.register_buffer(name, torch.zeros(len(tasks)))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The objective and its slopes in the losses, which sum to T; in training the losses are kept for `follow`.

        Raises:
            ContractError: A task has no loss in this step.
        """
        values, order = self._all(losses)
        if self.training:
            self.before.copy_(picked(values.detach(), [order.index(place) for place in range(len(order))]))
        shares = picked(self.logits.softmax(0), order).to(values.dtype)
        slopes = torch.where(values > TINY, shares / values.detach().clamp_min(TINY), 0)
        weights = len(order) * slopes / slopes.sum().clamp_min(TINY)
        # c z_t log L_t with c held fixed: its slope is the weight, and its value depends on the units of L_t alone.
        logs = values.clamp_min(TINY).log()
        total = (weights * values.detach() * logs).sum()
        return Balanced(total, dict(zip(losses, weights.unbind(), strict=True)))

    def follow(self, losses: Mapping[str, Tensor]) -> None:
        """Let the logits take a step by how much the losses changed."""
        if not self.training:
            return
        values, order = self._all(losses)
        after = picked(values.to(self.before.dtype), [order.index(place) for place in range(len(order))])
        known = (self.before > TINY) & (after > TINY)
        fell = torch.where(known, self.before.clamp_min(TINY).log() - after.clamp_min(TINY).log(), 0)
        shares = self.logits.softmax(0)
        self._descend(shares * (fell - (shares * fell).sum()) + self.gamma * self.logits)

    def _descend(self, slope: Tensor) -> None:
        """A step of Adam (Kingma & Ba, ICLR 2015, algorithm 1)."""
        self.count.add_(1)
        self.mean.copy_(BETA1 * self.mean + (1 - BETA1) * slope)
        self.square.copy_(BETA2 * self.square + (1 - BETA2) * slope.square())
        mean, square = self.mean / (1 - BETA1**self.count), self.square / (1 - BETA2**self.count)
        self.logits.sub_(self.rate * mean / (square.sqrt() + EPS))

    def _all(self, losses: Mapping[str, Tensor]) -> tuple[Tensor, list[int]]:
        if len(losses) < len(self.names):
            raise ContractError("balance famo", "it needs the losses of all tasks", list(losses), "Give all tasks.")
        return torch.stack(list(losses.values())), self.places(losses)
