"""MMD with a bandwidth that remembers earlier batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dareps.alignment._modules import AlignmentModule, mean_of, mean_of_pairs, paired
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.kernels import mean_bandwidth, pooled_rows
from dareps.maths.precision import wide
from dareps.types import Step, View


class RunningBandwidth(AlignmentModule):
    """The mean over pairs of domains of a discrepancy whose bandwidth is an exponential average over training.

    With s <- q s + (1 - q) b and w <- q w + (1 - q), both from 0, the bandwidth is s / w: the first batch's own b, then
    an average in which a batch that is t steps old weighs q^t. In evaluation mode nothing moves.

    Args:
        settings: The alignment that built this module.
        discrepancy: (source (n, d), target (m, d), bandwidth ()) -> ().
        memory: q.
    """

    def __init__(
        self, settings: AlignmentSettings, discrepancy: Callable[[Tensor, Tensor, Tensor], Tensor], memory: float
    ) -> None:
        super().__init__(settings)
        self.discrepancy, self.memory = discrepancy, memory
        self.sum: Tensor
        self.mass: Tensor
        self.register_buffer("sum", torch.zeros(()))
        self.register_buffer("mass", torch.zeros(()))

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over pairs, 0-d."""
        pairs = paired(views, self.settings.pairs)
        rows = [(source.shared, target.shared) for source, target in pairs]
        newest = mean_of([mean_bandwidth(pooled_rows(wide(source), wide(target))) for source, target in rows])
        bandwidth = self._average(newest)
        return mean_of_pairs([self.discrepancy(source, target, bandwidth) for source, target in rows], pairs)

    def _average(self, newest: Tensor) -> Tensor:
        if self.training:
            self.sum.mul_(self.memory).add_(newest, alpha=1 - self.memory)
            self.mass.mul_(self.memory).add_(1 - self.memory)
        # Before the first batch there is nothing to remember.
        return torch.where(self.mass > 0, self.sum / self.mass, newest).to(newest.dtype)
