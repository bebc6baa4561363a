"""The alignment family: losses between the representations of domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dareps.alignment._checks import check_beside, check_labels, check_rows, check_samples, present
from dareps.alignment._settings import AlignmentSettings
from dareps.types import Role, Shapes

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.alignment._modules import AlignmentModule
    from dareps.types import View


class Alignment(AlignmentSettings, family="alignment"):
    """A loss (source (n, d), target (m, d)) -> () that is small when the domains look alike.

    A stateless loss defines `__call__`; one with parameters or running state defines `build`. The class flags
    are the laws that the loss claims beyond the universal ones; `dareps.testing.check_alignment` proves them.
    """

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The module that the method trains with; for a stateless loss, the mean over pairs of domains."""
        from dareps.alignment._modules import Pairwise

        return Pairwise(self)


class TargetTerm(Alignment, abstract=True):
    """A loss on the target side alone: target (m, d) -> ()."""

    def __call__(self, target: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of target (m, d), 0-d."""
        return super().__call__(target, target)

    def needs(self) -> tuple[Role, ...]:
        """The target alone."""
        return ("target",)

    def on(self, target: View) -> Tensor:
        """The loss of one target stream, 0-d."""
        return self(getattr(target, self.reads))

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The mean over target domains."""
        from dareps.alignment._modules import OnTargets

        return OnTargets(self, self.on)


class Distance(Alignment, abstract=True):
    """A distance of samples as weighted point sets: the same wherever they lie, however turned, and at any size."""

    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    translation: ClassVar[bool] = True
    rotation: ClassVar[bool] = True
    duplication: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18


class LabelledPair(Alignment, abstract=True):
    """A loss between streams that also reads source labels and target outputs; subclasses define `_value`."""

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"

    def between(self, source: View, target: View) -> Tensor:
        """The loss between a labelled source stream and a target stream, 0-d."""
        labels = present(self.name, "labels", source.labels)
        return self(source.shared, target.shared, labels, present(self.name, "logits", target.logits))

    def __call__(  # type: ignore[override]
        self, source: Tensor, target: Tensor, source_labels: Tensor, target_logits: Tensor
    ) -> Tensor:
        """The loss of source (n, d) with labels (n,) and target (m, d) with logits (m, c), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target, self._least())
        check_rows(self.name, "target_logits", target_logits)
        check_beside(self.name, "target_logits", target_logits, target)
        check_labels(self.name, "source_labels", source_labels, source)
        return widened(self._value, source, target, source_labels, target_logits)

    def _least(self) -> int:
        """How many rows a side has to have."""
        return 1

    def _value(self, source: Tensor, target: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        """The loss of checked tensors in at least float32, 0-d."""
        raise NotImplementedError
