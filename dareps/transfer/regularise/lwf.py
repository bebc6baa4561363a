"""Learning without forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dareps.plugin import Many
from dareps.transfer._regulariser import Penalty
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.transfer.regularise._modules import RegulariserModule


class LearningWithoutForgetting(Penalty):
    """Old tasks' heads answer the phase's rows as they did when it began (LwF).

    sum over old tasks of T^2 / n sum over rows i of KL(p_i || q_i), p_i = softmax(z_i / T) with z_i the outputs of the
    networks as the phase began and q_i the same of those being trained, over the rows of all streams. In the gradient
    this is the paper's cross-entropy of softened responses times T^2, which keeps its size whatever T (Hinton, Vinyals
    & Dean, 2015, section 2). Encoder and old heads both follow the gradient, as far as the phase trains them: a head
    goes on training unless `trains` leaves it out. The old networks run under the same noise and normalise in the same
    way, so that the value starts at 0 and measures the change of the weights alone.

    Li & Hoiem, TPAMI 2017, eq. 2 and 3; there T = 2 and the weight is 1.

    Raises:
        ConfigError: A task does not exist or has no classes, or no task has.
    """

    name: ClassVar[str] = "lwf"
    temperature: float = Field(2.0, gt=0)
    """T, what outputs are divided by."""
    tasks: Many[str] = ()
    """The old tasks; none named means those of classes that the phase does not train, or all of classes where it trains
    every one."""

    def build(self, tasks: Sequence[Task], trained: Sequence[str]) -> RegulariserModule:
        """The divergence of the old tasks' outputs."""
        from dareps.transfer.regularise._responses import Remembered
        from dareps.transfer.regularise._tasks import of_classes

        classes = [task.name for task in tasks if task.kind == "classification"]
        open_ones = [name for name in classes if name not in trained] or classes
        wanted = of_classes("regularise.lwf.tasks", self.tasks or open_ones, tasks)
        return Remembered(self, wanted, self.temperature)
