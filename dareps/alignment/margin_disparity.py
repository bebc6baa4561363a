"""Margin disparity discrepancy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._settings import Widths
from dareps.plugin import Tune
from dareps.types import Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class MarginDisparity(Alignment):
    """Margin disparity discrepancy (MDD): a second head agrees with the first on the source, not on the target.

    With h the class that the task head predicts and q the softmax of the adversarial head, the value is
    -gamma mean over source of log q_h - mean over target of log(1 - q_h). The adversarial head minimises it at full
    rate; through gradient reversal the features maximise it, by weight times schedule; the task head gets no gradient.
    Where the domains are alike, the best q_h is gamma / (1 + gamma). Domains of a side are averaged. The logarithm of
    1 - q_h is the log-sum of the other classes' q, exact at q_h = 1.

    features (n, d) and logits (n, c) of each domain -> (). Zhang et al., ICML 2019, section 5; the adversarial head is
    linear like the task head, and its last layer starts at 0.
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"
    reverses: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    gamma: Annotated[float, Tune(1.0, 8.0, log=True)] = Field(4.0, gt=0)
    """Factor on the source part, exp of the margin."""
    hidden: Widths = ()
    """Widths of the adversarial head's hidden layers."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The adversarial head."""
        from dareps.alignment._margin import AdversarialHead

        return AdversarialHead(self, shapes, self.hidden, self.gamma)
