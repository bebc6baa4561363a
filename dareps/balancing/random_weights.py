"""Weights drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dareps.balancing._base import Balancer

if TYPE_CHECKING:
    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task


class Random(Balancer):
    """sum_t w_t L_t with w = T softmax(z), z standard normal and drawn anew in every step.

    The paper's weights sum to 1; here they sum to the number T of tasks in the step, so that the objective is as large
    as with equal weights. Lin et al., TMLR 2022, section 3.1.
    """

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """Weights keyed by seed and step."""
        from dareps.balancing._modules import RandomWeights

        return RandomWeights(tasks)
