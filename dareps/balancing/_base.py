"""The balancing family: per-task losses to one update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from dareps.errors import ContractError
from dareps.plugin import Plugin
from dareps.types import Meeting

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task


class Balancer(Plugin, family="balancer"):
    """Turns task losses into one objective; alignments and penalties keep their own weights.

    Those without parameters or running state compute in `__call__`; the others make a module in `build`.
    """

    needs_all: ClassVar[bool] = False
    """Whether every step has to bring the losses of all tasks."""

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The objective, 0-d, of task losses, each 0-d."""
        where, fix = f"balance {type(self).name}", "Call build(tasks) first, or define __call__(losses)."
        raise ContractError(where, "it learns or remembers, so that it has to be built", fix=fix)

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """The module for these tasks.

        Raises:
            ConfigError: The settings do not fit the tasks.
        """
        from dareps.balancing._modules import Called

        return Called(tasks, self)


class GradientBalancer(Balancer, abstract=True):
    """A balancer that reads the inner products of the tasks' gradients."""

    needs_all: ClassVar[bool] = True

    of: Meeting = "features"
    """Gradients by the features that all heads read, without a pass through the encoder, or by the parameters that all
    tasks share, with one more pass forward and one back for each task."""
