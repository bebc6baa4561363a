"""Regularisers as modules of a method, and what they see of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dareps.maths.networks import Networks
from dareps.maths.staged import Stage
from dareps.transfer._regulariser_settings import RegulariserSettings
from dareps.types import Representation, Rows


@dataclass(frozen=True, slots=True)
class Pass:
    """What networks make of a step's rows.

    Attributes:
        found: Per stream, a representation for each task.
        taps: Path of a stage -> what it gave, call by call; of the stages that some regulariser reads.
        head: (task, representation) -> outputs (n, size) of the task's head.
    """

    found: Sequence[Mapping[str, Representation]]
    taps: Mapping[str, Sequence[Tensor]]
    head: Callable[[str, Representation], Tensor]

    def outputs(self, task: str) -> list[Tensor]:
        """The outputs (n, size) of a task's head, stream by stream."""
        return [self.head(task, own[task]) for own in self.found]


@dataclass(frozen=True, slots=True)
class Sight:
    """What regularisers see of a step.

    Attributes:
        streams: The rows.
        now: What the networks being trained make of them.
        networks: The networks being trained.
        start: The same as the phase began, made of buffers; None where nobody keeps them.
        before: Gives what `start` makes of the rows, under the same noise and in the same mode, without a gradient.
        moving: Names of the parameters that the phase trains: those of the encoder bare, others as `heads.NAME`.
    """

    streams: Sequence[Rows]
    now: Pass
    networks: Networks
    start: Networks | None
    before: Callable[[], Pass]
    moving: frozenset[str]


class RegulariserModule(nn.Module):
    """A built regulariser. Subclasses compute `forward`; the hooks have defaults.

    Args:
        settings: The regulariser that built this module.

    Attributes:
        keeps: Whether it reads the networks as the phase began.
        stages: The stages whose outputs it reads.
        reads: The tasks whose representations it needs in every step.
        source: The task whose outputs, and `labels` that whose labels, it wants of a pass over rows at the start of the
            phase; None for no pass.
    """

    keeps: bool = False
    stages: Sequence[Stage] = ()
    reads: tuple[str, ...] = ()
    source: str | None = None
    labels: str | None = None

    def __init__(self, settings: RegulariserSettings) -> None:
        super().__init__()
        self.settings = settings

    def attach(self, networks: Networks) -> None:
        """See the networks once, when they have been built."""

    def forward(self, sight: Sight) -> dict[str, Tensor]:
        """Unweighted 0-d values, one for each of the settings' `terms()`."""
        raise NotImplementedError

    @property
    def follows(self) -> bool:
        """Whether weights move after a step."""
        return False

    def after_step(
        self, progress: Tensor, rate: Tensor, networks: Networks, start: Networks, moving: frozenset[str]
    ) -> None:
        """Move weights in place after the optimizer's step, whose learning rate is `rate`.

        Args:
            progress: Of the phase, 0-d.
            rate: Learning rate of the step, 0-d.
            networks: Whose weights.
            start: The same as the phase began.
            moving: Names of the parameters that the phase trains, as in `Sight`.
        """

    def learn(self, outputs: Tensor, labels: Tensor, held: Tensor, held_labels: Tensor) -> None:
        """Take in a pass over rows at the start of the phase.

        Args:
            outputs: Outputs (n, size) of `source` on the rows of the phase's labelled streams.
            labels: The rows' labels of the task `labels`, (n,) of classes, negative where missing.
            held: The same outputs on source validation rows.
            held_labels: Labels of the task `source` there.
        """


def total(values: Sequence[Tensor], like: Tensor) -> Tensor:
    """The sum of 0-d values, 0-d; 0 of none."""
    return torch.stack(list(values)).sum() if values else like.new_zeros(())
