"""What an alignment is set to: its laws as flags, its weight and schedule, and which domains it pairs."""

# Annotations are evaluated here: as strings, pydantic would compile them anew for each alignment.
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from pydantic import Field

from dareps.errors import ContractError
from dareps.plugin import Many, Plugin, Tune
from dareps.schedules import Constant, Schedule
from dareps.types import Interval, Kind, Role

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import View

Widths = Many[Annotated[int, Field(gt=0)]]
"""Widths of the hidden layers of an alignment's own network."""

CLAIMS: Final = (
    *("symmetric", "nonnegative", "zero_on_identical", "translation", "rotation", "scale"),
    *("duplication", "unbiased", "gradient"),
)
"""The laws that a loss may claim beyond the universal ones."""


class AlignmentSettings(Plugin, abstract=True):
    """The part of `Alignment` that built modules read; they cannot know how they are built.

    The class flags are the laws that the loss claims beyond the universal ones.
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "shared"
    """What the loss is computed on: features, outputs of the first task, or both (and then `between` says how)."""
    kinds: ClassVar[tuple[Kind, ...]] = ("classification",)
    """Tasks of which kinds outputs may be read of, where they are read."""
    reverses: ClassVar[bool] = False
    """True when the weight acts through gradient reversal inside the module and not as a factor on its value."""
    forwards: ClassVar[bool] = False
    """True when the loss reads inputs and runs the method on them (`View.x`, `View.plain` and `Step.model`)."""
    symmetric: ClassVar[bool] = False
    nonnegative: ClassVar[bool] = False
    zero_on_identical: ClassVar[bool] = False
    translation: ClassVar[bool] = False
    rotation: ClassVar[bool] = False
    scale: ClassVar[float | None] = None
    """k when L(c x, c y) = c^k L(x, y) for c > 0."""
    duplication: ClassVar[bool] = False
    """True when saying every row of both sides twice changes nothing."""
    unbiased: ClassVar[bool] = False
    """True when the mean over all ways to deal the same rows out to source and target is 0."""
    gradient: ClassVar[bool] = False
    """True when the gradient is that of the value, with nothing cut off from it."""
    domain: ClassVar[Interval] = Interval(-100.0, 100.0)
    largest: ClassVar[float | None] = None
    """Up to which magnitude float32 inputs give finite numbers; left out, 1e6, or the end of a domain of its own."""

    weight: Annotated[float, Tune(0.1, 10.0, log=True, relative=True)] = Field(1.0, ge=0)
    """Factor on the loss, or strength of its gradient reversal."""
    schedule: Schedule = Constant()
    """Factor on the weight as a function of progress."""
    pairs: Literal["all", "pooled"] = "all"
    """With several domains a side: the mean over all pairs, or one loss between pooled rows."""

    def __call__(self, source: "Tensor", target: "Tensor") -> "Tensor":
        """The loss between source (n, d) and target (m, d), 0-d; neither weight nor schedule is applied."""
        what = "it has parameters or state and was called unbuilt"
        raise ContractError(f"alignment {type(self).name}", what, fix="Call .build(shapes) and use the module.")

    def between(self, source: "View", target: "View") -> "Tensor":
        """The loss between two streams, 0-d; losses that read more than one representation unpack the views here."""
        return self(getattr(source, self.reads), getattr(target, self.reads))

    def needs(self) -> tuple[Role, ...]:
        """The roles of which a phase has to read a stream for the loss to act in it."""
        return ("source", "target")

    def claims(self) -> Mapping[str, bool | float | None]:
        """The laws that these settings claim: the class flags, unless a setting takes one of them away."""
        return {claim: getattr(self, claim) for claim in CLAIMS}
