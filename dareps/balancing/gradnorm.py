"""Weights that even out the norms of the tasks' gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from dareps.balancing._base import GradientBalancer

if TYPE_CHECKING:
    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task


class GradNorm(GradientBalancer):
    """sum_t w_t L_t with weights that are trained to even out the tasks' rates of learning.

    With n_t the norm of task t's gradient, G = mean of w_t n_t and the relative inverse rate
    r_t = (L_t / L_t(0)) / mean over tasks of the same, the weights descend sum_t |w_t n_t - G r_t^alpha|, the right
    side held fixed, and are then scaled to sum T. A task that learns slowly (r_t > 1) gains weight. The paper takes
    gradients by the weights of the last shared layer; features need no further pass. The descent is on the sum divided
    by G, so that `rate` means the same at every scale of losses. L_t(0) is the first loss that is seen.

    Chen et al., ICML 2018, eq. 1 and 2.
    """

    name = "gradnorm"

    alpha: float = Field(1.5, ge=0)
    """How strongly slow tasks are favoured; 0 evens out the norms alone."""
    rate: float = Field(0.025, gt=0)
    """Step size of the weights."""

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """Weights and first losses as state."""
        from dareps.balancing._gradnorm import EvenNorms

        return EvenNorms(tasks, self.alpha, self.rate, self.of)
