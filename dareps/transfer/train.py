"""The ordinary phase: steps of gradient descent on streams."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.plugin import Many, Settings
from dareps.sampling import TaskSampler
from dareps.schedules import Schedule
from dareps.transfer._moving import Patience, Unfreeze
from dareps.transfer._optimizer import Optimizer
from dareps.transfer._phase import Phase
from dareps.transfer._regulariser import Regulariser

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


def _shares(value: Any) -> Any:
    """Refuse weights that are none, before a union of types is tried and both are blamed."""
    ways = get_args(Ways)
    if isinstance(value, dict):
        numbers = [own for own in value.values() if type(own) in (int, float) and 0 <= own < math.inf]
        if len(numbers) == len(value) and sum(numbers) > 0:
            return value
    elif isinstance(value, str) and value in ways:
        return value
    fix = f"Write {', '.join(ways)}, or weights by source, 0 or more and not all 0, as {{a: 0.7, b: 0.3}}."
    raise PydanticCustomError("shares", "not weights of sources. {fix}", {"fix": fix})


Ways = Literal["equal", "rows", "nearness"]
SourceShares = Annotated[Ways | dict[str, float], BeforeValidator(_shares)]


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
    """Parts that move: `encoder`, `encoder.STAGE`, `heads`, `heads.TASK`, `align`, `adapters`, or `*` for all but
    adapters."""
    freeze: Many[str] = ()
    """Parts that stay as they are although `trains` names them: weights, statistics, momenta; no dropout."""
    freeze_below: str = ""
    """Stage of the encoder below which all others stay as they are, or -K for the K-th from the top; empty for none."""
    unfreeze: Unfreeze | None = None
    """The stages begin to move one after the other, from the top down; open means all at once."""
    rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Factors on the learning rate by part, such as `{encoder: 0.1}`; the rest learns at the rate itself."""
    decay: float = Field(1.0, gt=0, le=1)
    """Factor on the learning rate from each stage to the one below it; the heads learn at the rate itself."""
    tasks: Many[str] = ()
    """Tasks whose losses train the phase; none named means all that its rows have labels of."""
    reset: Many[str] = ()
    """Parts that are drawn anew when the phase begins, where all others are carried over: `heads`, `heads.TASK`,
    `encoder`, `encoder.STAGE`, `align`. Statistics of normalisation go with their stage."""
    reset_top: int = Field(0, ge=0)
    """So many stages, from the top of the encoder down, are drawn anew as well."""
    cache: Literal["auto", "on", "off"] = "auto"
    """Whether the features of stages that keep still, from the input on, are computed once instead of at every step;
    `auto` where nothing changes the rows before, so that only rounding differs."""
    patience: Patience | None = None
    """When the phase ends before its steps are up; open means never."""
    stochastic_norm: float | None = Field(None, ge=0, le=1)
    """Probability with which a step normalises a channel by the running statistics instead of the batch's (StochNorm,
    Kou et al., NeurIPS 2020); drawn per channel, layer and step. Open, like 0, means ordinary batch normalisation. The
    authors' code counts the other way: its p is the probability of the batch's statistics."""
    smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of each class label that is spread evenly over the classes in the task losses."""
    label_shift: Literal["none", "estimate"] = "none"
    """Whether the loss of a source row is multiplied by w(y) = q(y) / p(y), p and q the class shares of both sides: q
    is estimated without target labels, once, when the phase begins, from what the model then makes of source validation
    and target train rows (black-box shift estimation, Lipton, Wang & Smola, ICML 2018). This is right where p(x | y) is
    the same on both sides, and may do harm where it is not. Not for the first phase: its model is untrained."""
    source_weights: SourceShares = "equal"
    """How much each of several sources counts, in the losses of tasks and in alignments that compare every source with
    every target; what pools sources or tells all domains apart at once stays as it is. `equal`; by their `rows`; told,
    as `{a: 0.7, b: 0.3}`, of which the sum does not matter; or by `nearness`, without target labels:
    softmax(-b_s / 0.25) of b_s = the error of the source's own validation rows (1 less the main metric, in [0, 1]) plus
    half the proxy A-distance of its features to the target's, the bound of Ben-David et al. (Machine Learning 79, 2010)
    on what it would do there (compare DARN, Wen et al., ICML 2020). The log has `source_weight.DOMAIN`."""
    nearness_every: int = Field(100, ge=1)
    """Steps from one look at the nearness of sources to the next; the first is before the phase."""
    align: Which = True
    """Which of the recipe's alignments act in this phase: all, none, or those with these numbers, from 0 on."""

    sampling: TaskSampler | None = None
    """Which tasks a step trains; open means all of them in every step."""
    regularise: Many[Regulariser] = ()
    """What holds the phase near the weights or responses that it begins with."""
    apart: bool = False
    """From this phase on, every task goes on by itself from what was shared: each gets a copy of its own, which its own
    loss moves together with its head, as if it were trained alone. Balancing, penalties and couplings end."""

    def __hash__(self) -> int:
        """Equal phases have equal hashes, also those with a mapping among their settings."""
        return hash(self.model_dump_json())

    @property
    def without_source(self) -> bool:
        """Whether the phase reads unlabelled target rows and nothing else."""
        return self.streams == Streams(target="unlabelled")

    def acting(self, needs: Sequence[Collection[str]]) -> tuple[int, ...]:
        """The numbers of the alignments that act, given the roles that each needs.

        All may act where the phase reads source and target; where it reads unlabelled target rows alone, those that
        need nothing else; in other phases none.
        """
        if not self.without_source and None in (self.streams.source, self.streams.target):
            return ()
        wanted = (tuple(range(len(needs))) if self.align else ()) if isinstance(self.align, bool) else self.align
        known = range(len(needs))
        return tuple(own for own in wanted if not self.without_source or own not in known or "source" not in needs[own])

    @model_validator(mode="after")
    def _reads_something(self) -> Train:
        if self.streams.source is None and self.streams.target is None:
            raise PydanticCustomError("streams", "the phase reads no stream. {fix}", {"fix": "Name source or target."})
        if not self.trains:
            raise PydanticCustomError("trains", "nothing is trainable. {fix}", {"fix": "Name a part, or '*' for all."})
        return self
