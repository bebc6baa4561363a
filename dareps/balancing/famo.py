"""Weights that make all losses fall at the same rate, from a second look at the losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dareps.balancing._base import Balancer

if TYPE_CHECKING:
    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task


class FAMO(Balancer):
    """The update lets every task's loss fall by nearly the same share, at the cost of one more pass forward.

    With z = softmax(xi) the objective is c sum_t z_t log L_t, c = T / sum_t (z_t / L_t) held fixed, so that the weights
    of the losses, c z_t / L_t, sum to T (the paper's sum to 1). After the step the same rows are looked at once more,
    with the same noise, no gradient and no statistics moved, and xi takes a step of Adam along
    J_softmax(xi)^T (log L before - log L after) + gamma xi: a task that fell more than others loses weight. The paper
    writes plain descent; its figures are made with Adam, and so is this. A loss of 0 counts as absent.

    Liu, Feng, Stone & Liu, NeurIPS 2023, algorithm 1.
    """

    needs_all: ClassVar[bool] = True

    gamma: float = Field(1e-3, ge=0)
    """Pull of xi towards 0, that is of the weights z towards equal ones."""
    rate: float = Field(0.025, gt=0)
    """Step size of xi."""

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """The logits xi of the weights, their moments and the last losses as state."""
        from dareps.balancing._famo import EvenRates

        return EvenRates(tasks, self.gamma, self.rate)
