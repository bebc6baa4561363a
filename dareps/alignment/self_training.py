"""Self-training on pseudo-labels of an averaged teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import TargetTerm
from dareps.types import Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class SelfTraining(TargetTerm):
    """Self-training: target rows learn the labels that an exponential average of the networks is sure of.

    (1/m) sum_i w_i CE(q_i, softmax(z_i)): z are the logits of the m target rows in the step's own pass, augmented and
    with dropout; q comes from the teacher's probabilities p of the same rows before augmentation, in evaluation mode
    and without gradient. q is one-hot at the largest p, or p itself (`soft`). w_i is 1 where max p >= threshold and the
    row is within its class's quota, else 0; the sum is divided by all m rows, so that few sure rows pull little.

    The teacher equals the networks at the start of a phase; after each step its weights become
    decay * own + (1 - decay) * theirs, and its normalisation statistics are theirs. Domains of the target are averaged.

    With `prior`, p is first divided by its running mean over steps and scaled to sum 1 (Berthelot et al., ICLR 2020,
    section 3.1, for classes of equal size).

    Lee, ICML workshop 2013 (pseudo-labels); Tarvainen & Valpola, NIPS 2017 (averaged teacher); French et al., ICLR 2018
    (in domain adaptation; confidence threshold .968 and decay .99 of their code).
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"
    forwards: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True

    threshold: float = Field(0.968, ge=0, lt=1)
    """Least probability of the teacher's class for a row to count."""
    decay: float = Field(0.99, ge=0, lt=1)
    """Share of its old weights that the teacher keeps in a step."""
    labels: Literal["hard", "soft"] = "hard"
    """Whether a row's label is the teacher's class or its probabilities."""
    temperature: float = Field(1.0, gt=0)
    """What the teacher's logits are divided by; below 1 sharpens soft labels."""
    quota: float | None = Field(None, gt=0, le=1)
    """Share of a batch that may count, the same for every class, the surest rows first; open means no limit."""
    prior: bool = False
    """Whether probabilities are divided by their running mean, so that no class takes over."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The teacher and the running mean."""
        from dareps.alignment._teacher import SelfTrained, labeller

        label = labeller(self.threshold, self.labels == "hard", self.quota)
        return SelfTrained(self, shapes.classes if self.prior else 0, self.decay, self.temperature, label)
