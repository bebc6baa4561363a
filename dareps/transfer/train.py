"""The ordinary phase: steps of gradient descent on streams."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.plugin import Many, Settings
from dareps.sampling import TaskSampler
from dareps.schedules import Schedule
from dareps.transfer._optimizer import Optimizer
from dareps.transfer._phase import Phase

Labels = Literal["labelled", "unlabelled"]


class Streams(Settings):
    """Which rows a phase reads; a domain role that is left out is not read."""

    source: Labels | None = None
    """Whether the phase reads source rows, and with labels."""
    target: Labels | None = None
    """Whether the phase reads target rows, and with labels; labels read here are counted in every result."""


def _which(value: Any) -> Any:
    """Refuse what says neither all nor none nor which, before a union of types is tried and both are blamed."""
    numbers = isinstance(value, list | tuple) and all(type(number) is int and number >= 0 for number in value)
    if isinstance(value, bool) or numbers:
        return value
    fix = "The recipe's alignments are numbered from 0, as in `align: [0, 2]`."
    raise PydanticCustomError("which", "expected true, false or a list of numbers. {fix}", {"fix": fix})


Which = Annotated[bool | Many[int], BeforeValidator(_which)]


class Train(Phase):
    """Gradient descent on the task losses of labelled streams plus the alignments between the streams' domains.

    What is None is taken from the dataset's defaults, so that every recipe of a table gets the same.
    """

    streams: Streams = Streams(source="labelled")
    """Which rows the phase reads."""
    steps: int | None = Field(None, ge=0)
    """Steps of training; open means the dataset's own."""
    batch: int | None = Field(None, ge=2)
    """Rows per stream and step."""
    optimizer: Optimizer | None = None
    """Update rule; open means the dataset's own."""
    schedule: Schedule | None = None
    """Factor on the learning rate."""
    clip: float | None = Field(None, gt=0)
    """Largest norm of the gradient, per seed."""
    trains: Many[str] = ("*",)
    """Parts that move: `encoder`, `encoder.STAGE`, `heads`, `align`, or `*` for all."""
    align: Which = True
    """Which of the recipe's alignments act in this phase: all, none, or those with these numbers, from 0 on."""

    sampling: TaskSampler | None = None
    """Which tasks a step trains; open means all of them in every step."""
    apart: bool = False
    """From this phase on, every task goes on by itself from what was shared: each gets a copy of its own, which its own
    loss moves together with its head, as if it were trained alone. Balancing, penalties and couplings end."""

    def acting(self, count: int) -> tuple[int, ...]:
        """The numbers of the alignments that act, of `count`; none unless the phase reads source and target."""
        if self.streams.source is None or self.streams.target is None:
            return ()
        return (tuple(range(count)) if self.align else ()) if isinstance(self.align, bool) else self.align

    @model_validator(mode="after")
    def _reads_something(self) -> Train:
        if self.streams.source is None and self.streams.target is None:
            raise PydanticCustomError("streams", "the phase reads no stream. {fix}", {"fix": "Name source or target."})
        if not self.trains:
            raise PydanticCustomError("trains", "nothing is trainable. {fix}", {"fix": "Name a part, or '*' for all."})
        return self
