"""Domain confusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._settings import Widths
from dareps.types import Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class DomainConfusion(Alignment):
    """Domain confusion: features make a domain classifier's output uniform instead of wrong.

    Before each ordinary step the classifier q takes `repeat` steps on the mean over domains of its cross-entropy;
    features keep still. In the ordinary step the value is the mean over domains of the mean of
    -(1 / D) sum over domains k of log q_k, at least log D and equal to it where q is uniform, with the classifier held
    still and weight times schedule acting on the features' gradient. Its last layer starts at 0.

    features (n, d) of each of D domains -> (). Tzeng et al., ICCV 2015, section 3.1; one linear layer as published.
    """

    reverses: ClassVar[bool] = True
    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    hidden: Widths = ()
    """Widths of the classifier's hidden layers."""
    repeat: int = Field(1, ge=1)
    """Steps of the classifier before each ordinary one."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The classifier over all domains of the split."""
        from dareps.alignment._confusion import DomainClassifier

        return DomainClassifier(self, shapes, self.hidden, self.repeat)
