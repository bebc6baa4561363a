"""The one number that a step of training makes smaller."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from dareps.alignment._base import Alignment
from dareps.balancing._modules import BalancerModule
from dareps.sharing._base import Term
from dareps.types import Losses, Step


def objective(
    losses: Losses, step: Step, balance: BalancerModule, apart: Collection[str]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The objective, 0-d: balanced task losses plus terms; and the weights of tasks for the log.

    Only tasks that share are weighed against each other; the loss of one that is apart counts as it is.
    """
    parts, weights = list(losses.terms.values()), {}
    shared = {name: loss for name, loss in losses.tasks.items() if name not in apart}
    parts += [loss for name, loss in losses.tasks.items() if name in apart]
    if shared:
        balanced = balance(shared, step, losses.gram)
        total, weights = balanced.total, balanced.weights
    else:
        total = parts.pop(0)
    for part in parts:
        total = total + part
    return total, {f"balance.{name}": weight for name, weight in weights.items()}


def strengths(parts: Sequence[Alignment | Term], progress: Tensor) -> Tensor:
    """Weight times schedule of each of k parts at `progress` (*t,): (*t, k)."""
    if not parts:
        return progress.new_zeros(*progress.shape, 0)
    return torch.stack([part.weight * part.schedule(progress) for part in parts], dim=-1)
