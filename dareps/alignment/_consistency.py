"""Predictions on rows held against predictions on the same rows, strongly augmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from dareps.alignment._checks import check_rows, needed, present
from dareps.alignment._modules import AlignmentModule, mean_of, of_role
from dareps.alignment._pseudo_labels import confident, cross_entropy, one_hot, rescaled
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.precision import wide
from dareps.types import Model, Step, View

_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class Strong:
    """How rows are changed: draws of the data's augmentation, and the probability of masking an input."""

    rounds: int
    mask: float

    def __call__(self, model: Model, view: View) -> View:
        """The stream with changed inputs."""
        return replace(view, x=model.augmented(view, "strong", self.rounds, self.mask))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which target rows count and with which labels.

    Attributes:
        threshold: Least probability of a row's class.
        relative: Whether that is a share of the mean largest probability of source rows.
        prior: Whether target predictions are brought to the mean of the source predictions.
    """

    threshold: float
    relative: bool
    prior: bool

    def __call__(self, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Labels (m, c) and weights (m,) from target (m, c) and source (n, c) probabilities."""
        if self.prior:
            target = rescaled(target, source.mean(0) / target.mean(0).clamp_min(_SMALLEST))
        least = self.threshold * source.amax(1).mean() if self.relative else self.threshold
        return one_hot(target), confident(target, least)


class Consistent(AlignmentModule):
    """The cross-entropy of strongly changed rows against the classes of the rows as they were.

    Args:
        settings: The alignment that built this module.
        choice: Which target rows count.
        strong: How rows are changed.
        supervised: Whether source rows join, with their labels.
    """

    def __init__(self, settings: AlignmentSettings, choice: Choice, strong: Strong, supervised: bool) -> None:
        super().__init__(settings)
        self.choice, self.strong, self.supervised = choice, strong, supervised

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over target domains, plus that over source domains where they join, 0-d."""
        model = needed(type(self.settings).name, step.model)
        targets, sources = of_role(views, "target"), of_role(views, "source")
        joining = [*(sources if self.supervised else ()), *targets]
        changed = model([self.strong(model, view) for view in joining], "strong")
        learnt, kept = of_role(changed, "source"), of_role(changed, "target")
        # Without a source stream nothing reads the reference: see `ConsistencyTraining.needs`.
        reference = torch.cat([self._probabilities(view) for view in sources or targets])
        pairs = zip(targets, kept, strict=True)
        value = mean_of([self._kept(view, self._logits(own), reference) for view, own in pairs])
        return value + mean_of([self._learnt(view) for view in learnt]) if learnt else value

    def _kept(self, view: View, logits: Tensor, reference: Tensor) -> Tensor:
        labels, weights = self.choice(self._probabilities(view), reference)
        return (weights * cross_entropy(labels, logits)).mean()

    def _learnt(self, view: View) -> Tensor:
        labels = present(type(self.settings).name, "labels", view.labels)
        there = (labels >= 0).any()  # Of no label at all the mean would be 0 / 0.
        return functional.cross_entropy(self._logits(view), labels.where(there, 0), ignore_index=-1) * there

    def _probabilities(self, view: View) -> Tensor:
        return self._logits(view).detach().softmax(1)

    def _logits(self, view: View) -> Tensor:
        name = type(self.settings).name
        logits = present(name, "logits", view.logits)
        check_rows(name, view.role, logits)
        return wide(logits)
