"""A head that disputes the task head's predictions on the target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from dareps.alignment._checks import check_rows, present
from dareps.alignment._discriminator import discriminator
from dareps.alignment._modules import AlignmentModule, mean_of, of_role
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.precision import wide
from dareps.maths.reversal import reverse
from dareps.types import Shapes, Step, View


class AdversarialHead(AlignmentModule):
    """The margin disparity between domains on reversed features.

    Args:
        settings: The alignment that built this module.
        shapes: Numbers of features and classes.
        hidden: Widths of the hidden layers.
        gamma: Factor on the source part.
    """

    def __init__(self, settings: AlignmentSettings, shapes: Shapes, hidden: Iterable[int], gamma: float) -> None:
        super().__init__(settings, shapes)
        self.head = discriminator(shapes.features, hidden, shapes.classes)
        self.gamma = gamma

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The unweighted value, 0-d; `strength` multiplies the reversed gradient alone."""
        source = [-log_kept(*self._judged(view, strength)).mean() for view in of_role(views, "source")]
        target = [-log_left(*self._judged(view, strength)).mean() for view in of_role(views, "target")]
        return self.gamma * mean_of(source) + mean_of(target)

    def _judged(self, view: View, strength: Tensor) -> tuple[Tensor, Tensor]:
        """The adversarial head's outputs (n, c) and the task head's classes (n, 1)."""
        name = type(self.settings).name
        check_rows(name, view.role, view.shared)
        outputs = wide(self.head(reverse(view.shared, strength)))
        top, classes = present(name, "logits", view.logits).detach().max(1, keepdim=True)
        # NaN has a largest class, too; the difference is 0 or NaN.
        return outputs + (top - top), classes


def log_kept(outputs: Tensor, classes: Tensor) -> Tensor:
    """log q of each row's class, q the softmax of outputs (n, c) and classes (n, 1): (n,)."""
    return outputs.log_softmax(1).gather(1, classes).squeeze(1)


def log_left(outputs: Tensor, classes: Tensor) -> Tensor:
    """log(1 - q) of each row's class, (n,), as a sum over the other classes: nothing cancels where q is 1.

    A single class leaves nothing to dispute: it counts as 0, with gradient 0.
    """
    if outputs.shape[1] == 1:
        return outputs.log_softmax(1).squeeze(1)
    own = torch.arange(outputs.shape[1], device=outputs.device) == classes
    return outputs.masked_fill(own, -math.inf).logsumexp(1) - outputs.logsumexp(1)
