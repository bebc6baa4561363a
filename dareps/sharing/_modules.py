"""Sharing schemes as modules."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from dareps.types import Along, Representation


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive rows of one domain, and the tasks that want a representation of them."""

    rows: int
    domain: str
    tasks: tuple[str, ...]


Found = list[dict[str, Representation]]
"""Per group, a representation for each task it wants."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What penalties are computed from: a step's rows (n, *shape), their groups, and what the scheme made of them.

    Attributes:
        heads: Task -> what predicts it from what it reads.
    """

    joined: Tensor
    groups: Sequence[Group]
    found: Found
    heads: nn.ModuleDict


class SharingModule(nn.Module):
    """A built sharing scheme.

    It keeps no tensor of a step on itself: alignments copy it in the middle of one.

    Attributes:
        along: What its branches are; None where it has none.
        names: Their names.
        lean: Whether what belongs to a branch alone does not run where no group wants the branch.
    """

    along: Along | None = None
    names: tuple[str, ...] = ()
    lean: bool = False

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """Per group, a representation for each task it wants.

        Args:
            joined: (n, *shape), the groups' rows in order.
            groups: The groups.
            heads: Task -> what predicts it, for schemes in which a task builds on what others predict. They belong to
                the tasks, so they come with each call: a copy of the scheme is called with copies of them.
        """
        raise NotImplementedError

    def attach(self, heads: nn.ModuleDict) -> None:
        """See the heads once, when all weights have been drawn: the time to make copies of them."""

    def after_step(self, heads: nn.ModuleDict) -> None:
        """Update buffers from parameters after the optimizer's step, in place."""

    @property
    def follows(self) -> bool:
        """Whether there is something to do after a step."""
        return type(self).after_step is not SharingModule.after_step

    @property
    def adds(self) -> bool:
        """Whether there are penalties or telemetry, which are worth a look in every step then."""
        own, base = type(self), SharingModule
        return own.penalties is not base.penalties or own.telemetry is not base.telemetry

    def penalties(self, seen: Seen) -> dict[str, Tensor]:
        """Unweighted 0-d values, one for each of the scheme's `terms()`."""
        return {}

    def telemetry(self, seen: Seen) -> dict[str, Tensor]:
        """Further 0-d values for the log alone."""
        return {}

    def pull(self, strength: Tensor, moving: frozenset[str]) -> None:
        """The scheme's proximal step in place, after the optimizer's.

        Args:
            strength: Learning rate times weight times schedule, 0-d.
            moving: Names of the parameters that the phase trains.
        """

    def faster(self) -> dict[str, float]:
        """Parameters by name that learn at a multiple of the rate, without weight decay, and the multiple."""
        return {}

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """The modules that belong to one branch alone."""
        return ()

    def for_one(self, task: str) -> SharingModule:
        """A copy for a task that goes on without the others; a lean scheme leaves out what belongs to those alone.

        It draws its noise where the original does, so that the task continues as if it had always been alone.
        """
        others = [name for name in self.names if name != task] if self.lean and self.along == "tasks" else []
        # What is known to deepcopy already is taken as it is.
        left_out = {id(module): nn.Identity() for name in others for module in self.own(name)}
        return copy.deepcopy(self, left_out)

    def drawn_as(self, path: str) -> str:
        """The path below this module under which the weights at `path` are drawn.

        Weights are drawn by path. Branches that stand for the same thing start as copies of one draw, that of hard
        sharing's encoder: so a scheme that shares everything, or nothing, starts where hard sharing or single runs do,
        the limits between schemes are exact, and a table compares sharing and not luck. Modules with parts of their own
        to play (experts, private beside shared) are drawn by their own paths, since equal copies would stay equal.
        """
        head, _, rest = path.partition(".")
        return f"encoder.{rest.partition('.')[2]}" if head == "branches" else path


class HardSharing(SharingModule):
    """One encoder for all branches.

    Args:
        encoder: The encoder.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """One pass over all rows; every task of a group gets the same representation."""
        features = self.encoder(joined)
        if len(groups) == 1:
            blocks: Sequence[Tensor] = (features,)
        else:
            blocks = features.split([group.rows for group in groups])
        pairs = zip(groups, blocks, strict=True)
        return [dict.fromkeys(group.tasks, Representation(task=x, shared=x)) for group, x in pairs]
