"""A small network per task that learns beside the method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.encoders import Encoder
from dareps.encoders.mlp import MLP
from dareps.guarding._base import Guard

if TYPE_CHECKING:
    from dareps.maths.domains import NormFactory
    from dareps.maths.staged import Staged


class Shadow(Guard):
    """Compares each task with a small network of its own that learns from the same rows in the same steps.

    The shadow of a task reads the inputs, not the method's features: those are what other tasks may have harmed. It has
    its own loss and shares no parameter, so that neither influences the other, to the last bit. Optimizer, rates and
    schedule are the phase's; its gradient is clipped by itself. It learns in the steps that train its task.

    A task that stays below its shadow would be served better by the shadow: a sure sign. Silence says little, for a
    small network may fall short of what the recipe's own encoder would reach with this task alone. Give that encoder
    here for the exact comparison: where heads are linear and no stream is unlabelled the shadow then is the run on this
    task alone, at the cost of one more encoder per task. Nor can the comparison tell a harmed task from one that
    learns slowly because its loss weighs little, or because the balancer gives it a small share of the steps' length.
    """

    encoder: Encoder = MLP(width=64)
    """The shadow's network below its linear head."""
    after: float = Field(0.3, ge=0, lt=1)
    """Share of the run before which evaluations do not count, since everything is still being learned."""

    def network(self, shape: tuple[int, ...], norm: NormFactory) -> Staged | None:
        """A fresh encoder."""
        return self.encoder.build(shape, norm)
