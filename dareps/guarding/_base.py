"""The guard family: what a task could reach without the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pydantic import Field

from dareps.plugin import Plugin

if TYPE_CHECKING:
    from dareps.maths.domains import NormFactory
    from dareps.maths.staged import Staged


SIGN: Final = "negative transfer"
"""How the warning begins."""


class Guard(Plugin, family="guard"):
    """An alarm for negative transfer: a task that scores worse with the others than by itself.

    At every evaluation each task's main metric on source validation rows is compared with a reference, and the
    difference is logged as `alarm.TASK`. The alarm rings for a task once the difference has been below -margin in
    `patience` evaluations one after the other. No target label is read, and nothing that is trained is changed unless
    `demote` is set.
    """

    margin: float = Field(0.02, ge=0)
    """How far below the reference a task may stay, in its metric: accuracy, R^2 or mean average precision. Choose it
    above the noise: an accuracy on n labelled validation rows has a standard error of up to 0.5 / sqrt(n)."""
    patience: int = Field(3, ge=1)
    """Evaluations one after the other, below the reference by more than the margin, until the alarm rings."""
    after: float = Field(0.5, ge=0, lt=1)
    """Share of the run before which evaluations do not count, since everything is still being learned."""
    demote: bool = False
    """Let a task for which the alarm rings go on apart: with a copy of its own of what it shared, from that evaluation
    on."""

    def scores_of(self, tasks: Sequence[str]) -> Mapping[str, float]:
        """References that are known beforehand, by task.

        Raises:
            ConfigError: They are not known.
        """
        return {}

    def network(self, shape: tuple[int, ...], norm: NormFactory) -> Staged | None:
        """An encoder of inputs of `shape` that learns a task by itself beside the method; None for none."""
        return None

    def rings(self, curve: Sequence[tuple[int, float]], total: int) -> int | None:
        """The step at which the alarm first rings, of differences [(step, value), ...] in a run of `total` steps."""
        below = 0
        for step, value in curve:
            below = below + 1 if value < -self.margin and step > self.after * total else 0
            if below == self.patience:
                return step
        return None
