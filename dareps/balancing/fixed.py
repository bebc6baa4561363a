"""Weights that are set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dareps.balancing._base import Balancer
from dareps.errors import ConfigError
from dareps.plugin import suggestion

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task


class Fixed(Balancer):
    """sum_t w_t L_t with set weights w_t; a task that is not named has weight 1."""

    weights: Mapping[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Task -> weight."""

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum, 0-d."""
        first, *rest = (self.weights.get(name, 1.0) * loss for name, loss in losses.items())
        for loss in rest:
            first = first + loss
        return first

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """The weighted sum for these tasks.

        Raises:
            ConfigError: A weight names no task, or every weight is 0.
        """
        names = [task.name for task in tasks]
        for name in self.weights:
            if name not in names:
                raise ConfigError("balance.weights", "no task has this name", name, suggestion(name, names))
        if not any(self.weights.get(name, 1.0) for name in names):
            raise ConfigError("balance.weights", "every task has weight 0, so nothing is learned", fix="Raise one.")
        return super().build(tasks)
