"""Consistency of predictions under strong augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import TargetTerm
from dareps.types import Role, Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class ConsistencyTraining(TargetTerm):
    """Consistency training: strongly changed target rows keep the class of the row as it was (FixMatch, AdaMatch).

    (1/m) sum_i w_i CE(argmax p_i, softmax(z_i)): p are the probabilities of the m target rows in the step's own pass,
    without gradient, and z the logits of a second pass over the rows under strong augmentation; w_i is 1 where max p_i
    is at least the threshold, else 0. Strong is the data's own augmentation drawn `rounds` times, one upon the other,
    and then inputs masked by 0 with probability `mask`, which also serves data without augmentation.

    `relative` multiplies the threshold by the mean over source rows of their largest probability; `prior` multiplies p
    by the ratio of the mean source to the mean target prediction of the batch and scales it to sum 1; `supervised` adds
    the cross-entropy of strongly changed source rows, which weight and schedule then act on as well. With all three and
    a threshold of .9 it follows AdaMatch, whose code halves the source loss, keeps it out of the warm-up, aligns
    running means, draws three target rows for each source row and interpolates source logits at random; these are left
    out. Domains of a side are averaged.

    Sohn et al., NeurIPS 2020, eq. 4 (threshold .95); Berthelot et al., ICLR 2022 (relative threshold .9).
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"
    forwards: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True

    threshold: float = Field(0.95, ge=0, lt=1)
    """Least probability of a row's class for it to count."""
    relative: bool = False
    """Whether the threshold is a share of the mean largest probability of source rows."""
    prior: bool = False
    """Whether target predictions are brought to the mean of the source predictions."""
    supervised: bool = False
    """Whether source rows are learnt under strong augmentation, too."""
    rounds: int = Field(2, ge=0)
    """Draws of the data's augmentation that make it strong."""
    mask: float = Field(0.2, ge=0, lt=1)
    """Probability of setting an input to 0 after that."""

    def needs(self) -> tuple[Role, ...]:
        """The target, and the source where it sets the threshold or the prior or is learnt as well."""
        return ("source", "target") if self.relative or self.prior or self.supervised else ("target",)

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The loss with access to the method."""
        from dareps.alignment._consistency import Choice, Consistent, Strong

        choice = Choice(self.threshold, self.relative, self.prior)
        return Consistent(self, choice, Strong(self.rounds, self.mask), self.supervised)
