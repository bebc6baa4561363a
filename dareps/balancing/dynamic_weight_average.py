"""Weights by how fast losses fall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from dareps.balancing._base import Balancer

if TYPE_CHECKING:
    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task


class DynamicWeightAverage(Balancer):
    """sum_t w_t L_t with w = T softmax(r / temperature), r_t the ratio of a task's mean losses in its last two windows.

    A task whose loss falls slowly (r near 1 or above) gains weight. A window stands for the paper's epoch; r_t is 1
    until the task has two of them. Liu, Johns & Davison, CVPR 2019, eq. 7.
    """

    name = "dwa"
    window: int = Field(100, ge=1)
    """Steps with the task in a window."""
    temperature: float = Field(2.0, gt=0)
    """Evens the weights out; infinity would make them equal."""

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """Windows for each task."""
        from dareps.balancing._modules import RateWeights

        return RateWeights(tasks, self.window, self.temperature)
