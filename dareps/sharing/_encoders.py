"""One encoder per branch: what several schemes begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from dareps.errors import ConfigError
from dareps.maths.staged import Staged
from dareps.plugin import suggestion
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import BranchedModule
from dareps.sharing._modules import Found, Group
from dareps.types import Along, Representation


class SeparateEncoders(BranchedModule):
    """An encoder for each branch; a branch that no group wants does not run.

    Args:
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        self.branches = nn.ModuleList([blueprint.make_encoder() for _ in names])

    def forward(self, joined: Tensor, groups: Sequence[Group]) -> Found:
        """One pass per branch over the rows of all groups that want it."""
        flow, blocks = self.flow(joined, groups), {}
        for branch, chosen in self.wanted(groups).items():
            features = flow.through(self.branches[branch], chosen)
            blocks[branch] = flow.blocks(features, chosen)

        def make(group: int, branch: int) -> Representation:
            return Representation(task=blocks[branch][group], shared=blocks[branch][group])

        return self.gather(groups, make)

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """The branch's encoder."""
        return (self.branches[self.names.index(branch)],)


def with_parameters(encoder: Staged) -> list[str]:
    """The stages that have parameters, in order."""
    return [name for name in encoder.names if any(True for _ in encoder.chain[name].parameters())]


def check_stages(where: str, wanted: Iterable[str], encoder: Staged) -> None:
    """Refuse names of stages that the encoder lacks.

    Raises:
        ConfigError: Names the first of them.
    """
    for name in wanted:
        if name not in encoder.names:
            raise ConfigError(where, "the encoder has no such stage", name, suggestion(name, encoder.names))
