"""Schedules as pure functions of progress p in [0, 1]; they accept tensors of any shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    from torch import Tensor


class Schedule(Plugin, family="schedule"):
    """A factor that depends on progress alone, never on a step count, so a longer run keeps its shape."""

    def __call__(self, progress: Tensor) -> Tensor:
        """The factor at `progress`, same shape."""
        raise ContractError(f"schedule {type(self).name}", "it has no __call__", fix="Define __call__(progress).")


class Constant(Schedule):
    """f(p) = 1."""

    def __call__(self, progress: Tensor) -> Tensor:
        """The factor at `progress`, same shape."""
        return progress * 0 + 1


class Ramp(Schedule):
    """f(p) = 2 / (1 + exp(-gamma p)) - 1: from 0 to almost 1 (Ganin et al., JMLR 2016, section 5.2.2)."""

    gamma: float = Field(10.0, gt=0)
    """How fast it rises."""

    def __call__(self, progress: Tensor) -> Tensor:
        """The factor at `progress`, same shape."""
        return 2 / (1 + (-self.gamma * progress).exp()) - 1


class Annealing(Schedule):
    """f(p) = (1 + alpha p)^-beta: the learning rate of DANN (Ganin et al., JMLR 2016, section 5.2.2)."""

    alpha: float = Field(10.0, ge=0)
    """How soon it falls."""
    beta: float = Field(0.75, ge=0)
    """How far it falls."""

    def __call__(self, progress: Tensor) -> Tensor:
        """The factor at `progress`, same shape."""
        return (1 + self.alpha * progress) ** -self.beta


class Linear(Schedule):
    """f(p) = start + (end - start) p."""

    start: float = Field(0.0, ge=0)
    """Factor at progress 0."""
    end: float = Field(1.0, ge=0)
    """Factor at progress 1."""

    def __call__(self, progress: Tensor) -> Tensor:
        """The factor at `progress`, same shape."""
        return self.start + (self.end - self.start) * progress


class Cosine(Schedule):
    """f(p) = floor + (1 - floor) (1 + cos(pi p)) / 2: from 1 to `floor` (Loshchilov & Hutter, ICLR 2017, eq. 5)."""

    floor: float = Field(0.0, ge=0, le=1)
    """Factor at progress 1."""

    def __call__(self, progress: Tensor) -> Tensor:
        """The factor at `progress`, same shape."""
        return self.floor + (1 - self.floor) * (1 + (math.pi * progress).cos()) / 2


class Warmup(Schedule):
    """f(p) = min(1, (p - start) / length), 0 before `start`: a term that is switched on later."""

    start: float = Field(0.0, ge=0, le=1)
    """Progress at which it begins to rise."""
    length: float = Field(0.1, gt=0, le=1)
    """Progress that the rise takes."""

    def __call__(self, progress: Tensor) -> Tensor:
        """The factor at `progress`, same shape."""
        return ((progress - self.start) / self.length).clamp(0, 1)
