"""Fine-tuning towards the starting point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from dareps.transfer.regularise._held import HeldWeights
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.transfer.regularise._modules import RegulariserModule


class L2SP(HeldWeights):
    """The squared distance of the encoder's weights from those at the start of the phase (L2-SP).

    alpha / 2 |w - w0|^2 + beta / 2 |v|^2, w the parameters of the encoder, w0 the same as the phase began, v those of
    the heads of the tasks that the phase trains, alpha = `weight`, beta = `heads`. Running statistics of normalisation
    layers are free, and what the phase does not train is left out. The first part starts at 0.

    With `map: proximal` neither enters the objective; after each step of learning rate r every weight moves to

        w + c (w0 - w),    c = r alpha / (1 + r alpha),

    and v to (1 - r beta / (1 + r beta)) v: the proximal map, which minimises |u - w|^2 / 2 + r times the penalty at u.
    So an optimizer that rescales gradients does not rescale the pull. r is the phase's rate, whatever rates single
    parts have. Without a weight this is plain fine-tuning, and with an infinite one, which no schedule weakens, the
    encoder's weights stay at w0: both to the last bit.

    Li, Grandvalet & Davoine, ICML 2018, eq. 2 and 3; there beta = 0.01.

    Raises:
        ConfigError: The weight is infinite and the map is a penalty.
    """

    name: ClassVar[str] = "l2_sp"

    def build(self, tasks: Sequence[Task], trained: Sequence[str]) -> RegulariserModule:
        """Pulls on the encoder towards its start, and on heads towards 0."""
        from dareps.transfer.regularise._weights import Held, Pull

        pulls = (
            Pull(self.name, "encoder", self.weight, 0.5, home=True),
            Pull(f"{self.name}.heads", "heads", self.heads, 0.5, home=False),
        )
        return Held(self, pulls, self.map == "proximal", trained)
