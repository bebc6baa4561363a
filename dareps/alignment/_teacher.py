"""A teacher that follows the networks, and the loss of learning its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from dareps.alignment._checks import check_rows, needed, present
from dareps.alignment._modules import AlignmentModule, mean_of, of_role
from dareps.alignment._pseudo_labels import RunningMean, confident, cross_entropy, one_hot, rescaled, within_quota
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.networks import Copy, Networks
from dareps.maths.precision import wide
from dareps.types import Step, View

Labeller = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Probabilities (n, c) -> labels (n, c) and weights (n,)."""
_SMALLEST = 1e-6
_MEMORY = 0.99


def labeller(threshold: float, hard: bool, quota: float | None) -> Labeller:
    """What makes labels and weights of probabilities."""

    def label(p: Tensor) -> tuple[Tensor, Tensor]:
        weights = confident(p, threshold)
        if quota is not None:
            weights = weights * within_quota(p, quota)
        return one_hot(p) if hard else p, weights

    return label


class SelfTrained(AlignmentModule):
    """The cross-entropy of target rows against a teacher's labels.

    Args:
        settings: The alignment that built this module.
        classes: Number of classes whose running mean is divided away; 0 leaves probabilities as they are.
        decay: Share of its old weights that the teacher keeps in a step.
        temperature: What the teacher's logits are divided by.
        label: Makes labels and weights.
    """

    def __init__(
        self, settings: AlignmentSettings, classes: int, decay: float, temperature: float, label: Labeller
    ) -> None:
        super().__init__(settings)
        self.decay, self.temperature, self.label = decay, temperature, label
        self.mean = RunningMean(classes, _MEMORY) if classes else None

    def attach(self, student: Networks) -> None:
        """Make the teacher."""
        self.teacher = Copy(student)

    def begin(self, student: Networks) -> None:
        """Start the teacher at the networks being trained."""
        self.teacher.take(student)

    def after_step(self, progress: Tensor, student: Networks) -> None:
        """Move the teacher towards the networks being trained."""
        self.teacher.follow(student, self.decay)

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over target domains, 0-d."""
        name = type(self.settings).name
        targets = of_role(views, "target")
        plain = [replace(view, x=view.plain) for view in targets]
        taught = needed(name, step.model)(plain, networks=self.teacher)
        pairs = zip(targets, taught, strict=True)
        return mean_of([self._loss(present(name, "logits", view.logits), own.logits) for view, own in pairs])

    def _loss(self, logits: Tensor, teacher: Tensor | None) -> Tensor:
        name = type(self.settings).name
        check_rows(name, "target", logits)
        labels, weights = self.label(self._probabilities(present(name, "logits", teacher)))
        return (weights * cross_entropy(labels, wide(logits))).mean()

    def _probabilities(self, logits: Tensor) -> Tensor:
        p = (wide(logits.detach()) / self.temperature).softmax(1)
        if self.mean is None:
            return p
        # A class that nobody predicts is held up, but not without bound.
        return rescaled(p, 1 / self.mean(p.mean(0)).clamp_min(_SMALLEST))
