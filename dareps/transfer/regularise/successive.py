"""Successive regularisation between phases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from dareps.plugin import Strength
from dareps.transfer._regulariser import TUNED
from dareps.transfer.regularise._held import HeldWeights
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.transfer.regularise._modules import RegulariserModule


class Successive(HeldWeights):
    """The squared distance of all that earlier phases learned from what they left (successive regularisation).

    delta |theta - theta'|^2, theta the parameters of the encoder, theta' the same at the end of the phase before, which
    is where this phase begins; and with a weight of its own, `heads`, the same of the heads of all tasks. It is `l2_sp`
    without the factor 1/2 and with heads that are held where they were instead of near 0; both are one implementation,
    `map: proximal` and its limits included (c = 2 r delta / (1 + 2 r delta)). What the phase begins anew is held to its
    first values, so leave heads out (`heads: 0`) where they are drawn afresh.

    Within a phase, between turns of tasks that are trained one after the other, it is a part of the sharing scheme
    `joint_many_tasks`.

    Hashimoto et al., EMNLP 2017, eq. 6 to 10; deltas as there (0.001, and 0.01 for classifiers).

    Raises:
        ConfigError: The weight is infinite and the map is a penalty.
    """

    weight: Annotated[Strength, TUNED] = 0.001

    def build(self, tasks: Sequence[Task], trained: Sequence[str]) -> RegulariserModule:
        """Pulls on the encoder and on all heads towards their start."""
        from dareps.transfer.regularise._weights import Held, Pull

        pulls = (
            Pull(self.name, "encoder", self.weight, 1.0, home=True),
            Pull(f"{self.name}.heads", "heads", self.heads, 1.0, home=True),
        )
        return Held(self, pulls, self.map == "proximal", [task.name for task in tasks])
