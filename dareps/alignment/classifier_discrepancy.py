"""Maximum classifier discrepancy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.types import Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class ClassifierDiscrepancy(Alignment):
    """Maximum classifier discrepancy (MCD): features move target rows to where two classifiers agree.

    The task head is the first classifier; the second is a layer of the same shape, and differs by its initial weights.
    Predictions come from the head alone. With d the mean over target rows and classes of |p_1 - p_2|, in [0, 2 / c],
    a step is: A, the ordinary step, adds the second classifier's source cross-entropy; B, both classifiers minimise
    their source cross-entropies minus d, with the encoder still; C, the encoder minimises d `repeat` times, with the
    classifiers still. The weight multiplies what this adds to A, B and C, and 1 is the published method; with weight 0
    there is only the ordinary step.

    source features (n, d) with labels (n,), target features (m, d) and logits (m, c) -> (). Saito et al., CVPR 2018,
    section 3.3.
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"
    nonnegative: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    repeat: int = Field(4, ge=1)
    """Steps C of the encoder after each step B."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The second classifier."""
        from dareps.alignment._discrepancy import SecondClassifier

        return SecondClassifier(self, shapes, self.repeat)
