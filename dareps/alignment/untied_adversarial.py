"""Adversarial adaptation of an encoder to what it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dareps.alignment._base import TargetTerm
from dareps.alignment._settings import Widths
from dareps.types import Role, Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class UntiedAdversarial(TargetTerm):
    """Untied adversarial adaptation (ADDA): target features pass for those that a frozen source encoder gave.

    At the start of a phase the encoder is copied; the copy is the source encoder from then on and the encoder itself
    becomes the target's. Before each ordinary step a discriminator with one class per domain takes `repeat` steps on
    the mean over domains of its logistic loss, on the copy's features of source rows and on features of target rows. In
    the ordinary step target features minimise -log of the probability of the source domains (inverted labels), with the
    discriminator held still, and weight times schedule acts on their gradient. Both are log 2 at chance for two
    domains; the discriminator's last layer starts at 0. The copy runs in the mode of the encoder, so that dropout and
    batch statistics do not tell the two apart.

    Use it in a phase after one that has learnt the source, on unlabelled streams and with `trains: [encoder, align]`,
    which keeps the head. Evaluation runs the adapted encoder on both domains, so that source accuracy shows what
    adaptation has cost; the target's is that of the paper.

    source inputs, target features (m, d) -> (). Tzeng et al., CVPR 2017, eq. 9 and section 4.
    """

    version: ClassVar[str] = "2"
    forwards: ClassVar[bool] = True
    reverses: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True

    hidden: Widths = (500, 500)
    """Widths of the discriminator's hidden layers."""
    repeat: int = Field(1, ge=1)
    """Steps of the discriminator before each ordinary one."""

    def needs(self) -> tuple[Role, ...]:
        """Both: the copy's features are those of source rows."""
        return ("source", "target")

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The discriminator and the copy."""
        from dareps.alignment._untied import Impostor

        return Impostor(self, shapes, self.hidden, self.repeat)
