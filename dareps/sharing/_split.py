"""An encoder of which one end is shared and the other is there once per branch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dareps.errors import ConfigError
from dareps.maths.staged import Staged
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import BranchedModule, Flow
from dareps.sharing._encoders import check_stages, with_parameters
from dareps.sharing._modules import Found, Group
from dareps.sharing._part import Part
from dareps.types import Along, Representation

WHERE = "sharing hierarchical"


class SplitEncoder(BranchedModule):
    """Private low stages below shared high ones, or shared low stages below private high ones.

    Args:
        private: Which end is private, `low` or `high`.
        until: The last of the low stages; None for one private stage with parameters.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    lean = True

    def __init__(
        self, private: str, until: str | None, blueprint: Blueprint, along: Along, names: Sequence[str]
    ) -> None:
        super().__init__(blueprint, along, names)
        first = blueprint.make_encoder()
        cut = _cut(private, until, first, blueprint.shape)
        low, high = first.names[:cut], first.names[cut:]
        self.private_first = private == "low"
        shared, own = (high, low) if self.private_first else (low, high)
        self.encoder = Part(first, shared)
        self.branches = nn.ModuleList([Part(blueprint.make_encoder(), own) for _ in names])

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """Each branch on its own rows, and one pass of all rows through what is shared."""
        flow = self.flow(joined, groups)
        chosen = [number for number, group in enumerate(groups) if group.tasks]
        if self.private_first:
            own = self._own(flow, flow.blocks(flow.rows(chosen), chosen))
            x = flow.through(self.encoder, chosen, torch.cat([own[group] for group in chosen]))
            found = flow.blocks(x, chosen)
        else:
            found = self._own(flow, flow.blocks(flow.through(self.encoder, chosen), chosen))
        return self.gather(groups, lambda group, _: Representation(task=found[group], shared=found[group]))

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """The branch's private stages."""
        return (self.branches[self.names.index(branch)],)

    def _own(self, flow: Flow, blocks: dict[int, Tensor]) -> dict[int, Tensor]:
        """What each group's own branch makes of its block."""
        found: dict[int, Tensor] = {}
        for branch, chosen in self.wanted(flow.groups).items():
            rows = torch.cat([blocks[group] for group in chosen])
            found |= flow.blocks(flow.through(self.branches[branch], chosen, rows), chosen)
        return found


def _cut(private: str, until: str | None, encoder: Staged, shape: tuple[int, ...]) -> int:
    """How many stages are low.

    Raises:
        ConfigError: There is no such stage, or one of the two ends has no parameters.
    """
    stages, full = encoder.names, with_parameters(encoder)
    check_stages("sharing.until", [] if until is None else [until], encoder)
    if until is None and len(full) > 1:
        until = full[0] if private == "low" else full[-2]
    cut = 0 if until is None else stages.index(until) + 1
    if any(stage in full for stage in stages[:cut]) and any(stage in full for stage in stages[cut:]):
        return cut
    at = stages.index(full[-1]) if full else len(stages) - 1
    before = encoder.shapes[stages[at - 1]] if at else shape
    what = f"no stages to split: {_these(full)} from {before} to {encoder.shapes[stages[at]]} at stage {stages[at]}"
    fix = (
        f"Set sharing.until to one of {', '.join(full[:-1])}." if len(full) > 1 else "Use an encoder with more stages."
    )
    raise ConfigError(WHERE, what, fix=fix)


def _these(full: Sequence[str]) -> str:
    """What an encoder has of stages with parameters, for an error."""
    if len(full) > 1:
        return f"one end would have no parameters, those of the encoder being {', '.join(full)},"
    return "all parameters lie in one stage," if full else "the encoder has no parameters,"
