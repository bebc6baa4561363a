"""Conditional domain-adversarial alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dareps.alignment.adversarial import Adversarial
from dareps.types import Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class ConditionalAdversarial(Adversarial):
    """Conditional domain-adversarial loss (CDAN): the discriminator sees features joined with class predictions.

    The loss of `adversarial` on T(f, g) in place of f, with g = softmax(logits). The full map is the outer product
    f g' of d c numbers; the random one is (R_f f) * (R_g g) / sqrt(k), k numbers, with R_f and R_g standard normal,
    drawn once and part of the state: E <T, T'> = <f, f'> <g, g'>. Inside T, g carries no gradient, as in the authors'
    code: otherwise the classifier would learn to hide the domain in its predictions instead of the features losing it.

    With `entropy` (CDAN+E) row i counts by w_i = 1 + exp(-H(g_i)), divided by its domain's sum. The weights are part of
    the objective: through gradient reversal they make predictions certain where the discriminator still errs. The
    divisor carries no gradient.

    features (n, d) and logits (n, c) of each domain -> (). Long et al., NeurIPS 2018, section 3.
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"

    map: Literal["auto", "full", "random"] = "auto"
    """How features and predictions are joined; `auto` is full up to d c = 4096, random beyond."""
    random_size: int = Field(1024, gt=0)
    """k, the width of the random map."""
    entropy: bool = False
    """Weigh rows by how certain their prediction is."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The discriminator over all domains of the split, and the map."""
        from dareps.alignment._conditional import ConditionalAdversary, join_map

        return ConditionalAdversary(
            self, shapes, self.hidden, join_map(self.map, shapes, self.random_size), self.entropy
        )
