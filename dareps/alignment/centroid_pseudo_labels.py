"""Pseudo-labels from class centroids of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import TargetTerm
from dareps.types import Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class CentroidPseudoLabels(TargetTerm):
    """Centroid pseudo-labels: target rows learn the class whose centroid among all target rows is nearest (SHOT).

    Every `every` steps of a phase, and before its first one, all target train rows pass through the networks in
    evaluation mode, giving features f_i and probabilities p_i. With u_i the unit vector along (f_i, 1), the centroid of
    class k is the direction of sum_i p_ik u_i. Each row's label is the class of the greatest cosine; then, `rounds`
    times, a centroid becomes the direction of the sum of its rows and rows are labelled again. Classes that are no
    row's most probable one take no part. The loss of m rows is (1/m) sum_i CE(label_i, softmax(z_i)), with z_i the
    logits of the step's own pass; labels are those of the row before augmentation, by the networks as they were at the
    pass, so that they stand still until the next one. They have no gradient. In a loop without passes the centroids are
    those of the batch. Domains of the target share their centroids, and their losses are averaged.

    target inputs, logits (m, c) -> (). Liang et al., ICML 2020 (SHOT), section 3.3, eq. 4 to 6, with the appended 1 of
    the authors' code; weight 0.3 beside `information_maximisation` as there.
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"
    forwards: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True

    every: int = Field(100, ge=1)
    """Steps between two passes over the target; the paper has one an epoch."""
    rounds: int = Field(1, ge=0)
    """Rounds of k-means after the first centroids."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The centroids and the networks that they belong to."""
        from dareps.alignment._centroids import Centroids

        return Centroids(self, shapes, self.every, self.rounds)
