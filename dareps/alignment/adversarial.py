"""Domain-adversarial alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dareps.alignment._base import Alignment
from dareps.alignment._settings import Widths
from dareps.types import Shapes

if TYPE_CHECKING:
    from dareps.alignment._modules import AlignmentModule


class Adversarial(Alignment):
    """Domain-adversarial loss (DANN): a discriminator tells domains apart, features are trained against it.

    Mean over domains of the mean logistic loss -log D_k(r(h)), with r gradient reversal: r(h) = h forward and
    dr/dh = -strength backward, strength = weight times schedule. The discriminator itself learns at full rate. It is a
    ReLU network of the given hidden widths with one output for two domains and one per domain for more; its last layer
    starts at 0, so the loss starts at chance, log 2 for two domains.

    features (n, d) of each domain -> (). Ganin et al., JMLR 2016, eq. 9 and 13 to 18.
    """

    reverses: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    hidden: Widths = (100,)
    """Widths of the discriminator's hidden layers."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The discriminator over all domains of the split."""
        from dareps.alignment._discriminator import DomainAdversary

        return DomainAdversary(self, shapes, self.hidden)
