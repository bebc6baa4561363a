"""Weights from learned variances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dareps.balancing._base import Balancer

if TYPE_CHECKING:
    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task


class Uncertainty(Balancer):
    """sum_t c_t L_t / sigma_t^2 + log sigma_t with a learned variance sigma_t^2 for each task.

    c_t is 1/2 for regression, whose L_t is a mean squared error, and 1 for classification and multilabel tasks. What is
    learned is s_t = log sigma_t^2, from 0. For a loss that stays put, sigma_t^2 tends to L_t for regression and to
    2 L_t otherwise.

    Kendall, Gal & Cipolla, CVPR 2018, eq. 7 and 10.
    """

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """A variance for each task."""
        from dareps.balancing._modules import LearnedVariance

        return LearnedVariance(tasks)
