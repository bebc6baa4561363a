"""One encoder per branch: what several schemes begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dareps.errors import ConfigError
from dareps.maths.noise import Dropout
from dareps.maths.staged import Staged, hosts_in, recording
from dareps.plugin import suggestion
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import BranchedModule
from dareps.sharing._modules import Found, Group
from dareps.types import Along, Representation

_MANY = 32
"""From how many branches on stacking their weights is quicker than one pass after the other."""


class SeparateEncoders(BranchedModule):
    """An encoder for each branch; a branch that no group wants does not run.

    Args:
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    lean = True

    def __init__(self, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        self.branches = nn.ModuleList([blueprint.make_encoder() for _ in names])
        self.alike = _may_stack(self.branches[0])
        # Walking through all modules by name in every step takes longer than the step does.
        self.holders = {
            name: [branch.get_submodule(name.rpartition(".")[0]) for branch in self.branches]
            for name, _ in self.branches[0].named_parameters()
        }

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """One pass per branch over the rows of all groups that want it; one pass for many branches on the same rows."""
        flow, wanted = self.flow(joined, groups), self.wanted(groups)
        rows = list(wanted.values())
        if self.alike and len(rows) >= _MANY and all(chosen == rows[0] for chosen in rows) and not recording():
            with flow.scope(rows[0]):
                found = self._at_once(list(wanted), flow.rows(rows[0]))
        else:
            found = [flow.through(self.branches[branch], chosen) for branch, chosen in wanted.items()]
        blocks = {branch: flow.blocks(x, wanted[branch]) for branch, x in zip(wanted, found, strict=True)}

        def make(group: int, branch: int) -> Representation:
            return Representation(task=blocks[branch][group], shared=blocks[branch][group])

        return self.gather(groups, make)

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """The branch's encoder."""
        return (self.branches[self.names.index(branch)],)

    def values(self, name: str) -> list[Tensor]:
        """A parameter of the encoder as each branch has it."""
        return [getattr(holder, name.rpartition(".")[2]) for holder in self.holders[name]]

    def _at_once(self, chosen: Sequence[int], x: Tensor) -> list[Tensor]:
        """Features of the same rows by several branches, whose weights are stacked for the occasion."""
        found = {name: self.values(name) for name in self.holders}
        weights = {name: torch.stack([values[branch] for branch in chosen]) for name, values in found.items()}
        features: Tensor = torch.vmap(lambda mine: functional_call(self.branches[0], mine, (x,)))(weights)
        return list(features.unbind())


def _may_stack(encoder: nn.Module) -> bool:
    """Whether an encoder is a function of weights and rows alone, by matrices: stacked convolutions are slow ones."""
    noisy = any(isinstance(module, Dropout) for module in encoder.modules())
    sizes = [parameter.dim() for parameter in encoder.parameters()]
    return not noisy and not hosts_in(encoder) and not list(encoder.buffers()) and 0 < max(sizes, default=0) <= 2


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
