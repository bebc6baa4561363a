"""Co-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from dareps.transfer._regulariser import Penalty
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.transfer.regularise._modules import RegulariserModule


class CoTuning(Penalty):
    """The source head goes on learning, from what the target's labels say of the source's classes (Co-Tuning).

    -(1 / n) sum over labelled rows i of sum over source classes s of p(s | y_i) log q_i(s), q_i the source head's
    probabilities and y_i the label of the target task. The relation p(s | y) is learned once, when the phase begins:
    the mean of the source head's probabilities over the rows of its labelled streams that have label y, in evaluation
    mode (the paper's direct approach; its reverse approach, through a classifier from source probabilities to target
    labels, is left out). With `calibrate` these are softmax(z / T), T fitted to the source task's labels on source
    validation rows (Guo et al., ICML 2017). A target class without rows gets the mean over all labelled rows.

    Rows without a label of the target task do not count. You, Kou, Long & Wang, NeurIPS 2020, eq. 2 to 4, algorithm 1;
    there the weight is between 0.2 and 2.3 by data.

    Raises:
        ConfigError: A task does not exist or has no classes, or the phase reads no labelled stream.
    """

    labelled: ClassVar[bool] = True
    source: str | None = None
    """The task whose head and classes are the source's; open means the first of classes."""
    target: str | None = None
    """The task whose labels the phase has; open means the last of classes."""
    calibrate: bool = True
    """Whether the source's probabilities are calibrated before the relation is learned from them."""

    def build(self, tasks: Sequence[Task], trained: Sequence[str]) -> RegulariserModule:
        """The cross-entropy against the relation."""
        from dareps.transfer.regularise._responses import Related
        from dareps.transfer.regularise._tasks import of_classes

        classes = [task.name for task in tasks if task.kind == "classification"]
        (source,) = of_classes("regularise.co_tuning.source", [self.source] if self.source else classes[:1], tasks)
        (target,) = of_classes("regularise.co_tuning.target", [self.target] if self.target else classes[-1:], tasks)
        sizes = {task.name: task.size for task in tasks}
        return Related(self, (source, sizes[source]), (target, sizes[target]), self.calibrate)
