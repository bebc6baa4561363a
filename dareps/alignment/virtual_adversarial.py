"""Virtual adversarial training."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import TargetTerm
from dareps.types import Interval, Role, Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class VirtualAdversarial(TargetTerm):
    """Virtual adversarial training (VAT): predictions keep still where a small change of the input moves them most.

    (1/m) sum_i KL(p(x_i) || p(x_i + r_i)), |r_i| by the radius, no gradient through p(x) and r. To second order the
    divergence is r' H r / 2 with H = J' (diag(p) - p p') J, J the derivative of the logits by the inputs, and r points
    along the leading eigenvector of H, found by power iteration from a random start. H is multiplied exactly, by a
    forward and a backward derivative, where the paper takes a difference of gradients at a distance that single
    precision would round away. All passes of a step share their dropout; under
    joint normalisation the rows of the stream are normalised among themselves.

    The radius is a share of the mean length of the stream's rows, so that one value serves images of any size and bags
    of words; the papers set lengths, with `relative: false` (3.5 on 32 x 32 x 3 images in [-1, 1] in the code of Shu et
    al., whose networks normalise the image after the change).

    Miyato et al., TPAMI 41 (2018), one iteration as there; Shu et al., ICLR 2018, eq. 7, on source and on target rows.
    """

    version: ClassVar[str] = "2"
    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"
    forwards: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    domain: ClassVar[Interval] = Interval(-5.0, 5.0)

    rows: Literal["source", "target"] = "target"
    """Whose rows are changed."""
    radius: float = Field(0.1, gt=0)
    """Euclidean length of a row's change."""
    relative: bool = True
    """Whether the radius is a share of the mean length of the stream's rows, or a length."""
    iterations: int = Field(1, ge=1)
    """Steps of the power iteration."""

    def needs(self) -> tuple[Role, ...]:
        """The role whose rows are changed."""
        return (self.rows,)

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The loss with access to the method."""
        from dareps.alignment._virtual import Smooth

        return Smooth(self, self.rows, self.radius, self.relative, self.iterations)
