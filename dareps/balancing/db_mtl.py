"""Logarithms of losses with gradients of one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from dareps.balancing._base import GradientBalancer

if TYPE_CHECKING:
    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task


class DBMTL(GradientBalancer):
    """sum_t a_t log L_t with a_t = max_u n_u / n_t: losses of any scale, and gradients as long as the longest.

    n_t is the running norm of the gradient of log L_t, n <- beta n + (1 - beta) |g_t| / L_t from the first one on. The
    paper keeps running gradients by the shared parameters, T times their memory; with `beta: 0` both are the same. A
    task with a loss of 0 moves nothing in that step.

    Lin et al., arXiv 2308.12029 (2023), eq. 1 and 3.
    """

    name = "db_mtl"

    beta: float = Field(0.9, ge=0, lt=1)
    """Share of the last norms that is kept."""

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """The running norms as state."""
        from dareps.balancing._db_mtl import LongestNorms

        return LongestNorms(tasks, self.beta, self.of)
