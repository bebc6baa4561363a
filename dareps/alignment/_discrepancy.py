"""A second classifier beside the task head, and how far the two disagree."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from dareps.alignment._checks import check_rows, present
from dareps.alignment._modules import AlignmentModule, mean_of, of_role
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.precision import wide
from dareps.types import Shapes, Step, SubStep, View

_NO_CLASS = -100
"""What cross-entropy passes over."""


class SecondClassifier(AlignmentModule):
    """A linear layer like the task head, trained on the source and against the head on the target.

    Args:
        settings: The alignment that built this module.
        shapes: Numbers of features and classes.
        repeat: Steps of the encoder after each step of the classifiers.
    """

    def __init__(self, settings: AlignmentSettings, shapes: Shapes, repeat: int) -> None:
        super().__init__(settings, shapes)
        self.classifier = nn.Linear(shapes.features, shapes.classes)
        self.repeat = repeat

    def steps(self) -> tuple[SubStep, ...]:
        """A, B and C; A alone where the weight is 0."""
        if self.settings.weight == 0:
            return ()
        classifiers = SubStep("classifiers", trains=("heads", "align"))
        return (SubStep(), classifiers, SubStep("encoder", trains=("encoder",), repeat=self.repeat, tasks=False))

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The unweighted value of the sub-step, 0-d."""
        if step.sub.name == "encoder":
            return self.disagreement(views)
        loss = self.source_loss(views)
        return loss - self.disagreement(views) if step.sub.name == "classifiers" else loss

    def source_loss(self, views: Sequence[View]) -> Tensor:
        """Cross-entropy of the second classifier, 0-d, the mean over source domains."""
        sources = of_role(views, "source")
        return mean_of([classes_loss(self._logits(view), self._labels(view)) for view in sources])

    def disagreement(self, views: Sequence[View]) -> Tensor:
        """Discrepancy of the head and the second classifier, 0-d, the mean over target domains."""
        name = type(self.settings).name
        targets = of_role(views, "target")
        return mean_of([discrepancy(present(name, "logits", view.logits), self._logits(view)) for view in targets])

    def _logits(self, view: View) -> Tensor:
        check_rows(type(self.settings).name, view.role, view.shared)
        return wide(self.classifier(view.shared))

    def _labels(self, view: View) -> Tensor:
        return present(type(self.settings).name, "labels", view.labels)


def classes_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (n, c) and labels (n,), 0-d, over the rows whose number is a class."""
    labels = labels.long()
    return functional.cross_entropy(logits, labels.masked_fill((labels < 0) | (labels >= logits.shape[1]), _NO_CLASS))


def discrepancy(first: Tensor, second: Tensor) -> Tensor:
    """Mean over rows and classes of |softmax(first) - softmax(second)| of logits (n, c), 0-d, in [0, 2 / c]."""
    return (wide(first).softmax(1) - wide(second).softmax(1)).abs().mean()
