"""Wasserstein distance guided alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._settings import Widths
from dareps.plugin import Tune
from dareps.types import Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class WassersteinCritic(Alignment):
    """Wasserstein distance by a critic (WDGRL): features close the gap that an almost 1-Lipschitz network finds.

    Before each ordinary step the critic f takes `repeat` steps on -(mean f(source) - mean f(target)) + penalty times
    the mean of (|grad f| - 1)^2 over both samples and over points drawn on the lines between their rows, while features
    keep still. In the ordinary step the value is mean f(source) - mean f(target), with the critic held still, and
    weight times schedule acts on the features' gradient. Pairs of domains have critics of their own, whose last layers
    start at 0.

    source (n, d), target (m, d) -> (). Shen et al., AAAI 2018, algorithm 1.
    """

    reverses: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    hidden: Widths = (100,)
    """Widths of the critic's hidden layers."""
    repeat: int = Field(5, ge=1)
    """Steps of the critic before each ordinary one."""
    penalty: Annotated[float, Tune(1.0, 100.0, log=True)] = Field(10.0, ge=0)
    """Factor on the gradient penalty."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """A critic for each pair of domains, or one for the pooled sides."""
        from dareps.alignment._wasserstein import Critics

        return Critics(self, shapes, self.hidden, self.repeat, self.penalty)
