"""The alignment family: losses between the representations of domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.alignment._settings import AlignmentSettings
from dareps.types import Shapes

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

    def on(self, target: View) -> Tensor:
        """The loss of one target stream, 0-d."""
        return self(getattr(target, self.reads))

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The mean over target domains."""
        from dareps.alignment._modules import OnTargets

        return OnTargets(self, self.on)
