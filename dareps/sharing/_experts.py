"""Encoders as experts, mixed by gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dareps.sharing._base import Blueprint
from dareps.sharing._branched import BranchedModule, Flow
from dareps.sharing._modules import Found, Group, Seen
from dareps.sharing._summary import Summary
from dareps.types import Along, Representation

GATE = "gate"


class Gate(nn.Module):
    """softmax(W x + b) over experts; of images, x is means over at most 8 x 8 places.

    Args:
        shape: Shape of one input.
        experts: Number of outputs.
    """

    def __init__(self, shape: tuple[int, ...], experts: int) -> None:
        super().__init__()
        self.summary = Summary(shape)
        self.scores = nn.Linear(self.summary.width, experts)

    def forward(self, x: Tensor) -> Tensor:
        """(n, experts) of x (n, *shape), rows that sum to 1."""
        scores: Tensor = self.scores(self.summary(x))
        return scores.softmax(1)


def mixed(gate: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    """sum over i of gate (n, experts)_i times outputs_i (n, *shape)."""
    return torch.einsum("ne,en...->n...", gate, torch.stack(list(outputs)))


def uses(module: BranchedModule, seen: Seen) -> dict[str, Tensor]:
    """Mean gate value of each branch's experts, 0-d, as `use.BRANCH.I`."""
    values: dict[str, Tensor] = {}
    for branch, chosen in module.wanted(seen.groups).items():
        gates = torch.cat([module.representation(seen, group, branch).taps[GATE] for group in chosen])
        means = gates.detach().mean(0).unbind()
        values |= {f"use.{module.names[branch]}.{number}": mean for number, mean in enumerate(means)}
    return values


class GatedExperts(BranchedModule):
    """Shared experts on all rows, a branch's own experts on its rows, and its gate's mixture of both.

    Args:
        shared: Number of shared experts.
        own: Number of experts of each branch.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    lean = True

    def __init__(self, shared: int, own: int, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        self.experts = nn.ModuleList([blueprint.make_encoder() for _ in range(shared)])
        self.specific = nn.ModuleList(
            [nn.ModuleList([blueprint.make_encoder() for _ in range(own)]) for _ in names if own]
        )
        self.gates = nn.ModuleList([Gate(blueprint.shape, shared + own) for _ in names])

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """One pass per shared expert, and one per wanted branch and expert of its own."""
        flow = self.flow(joined, groups)
        every = [number for number, group in enumerate(groups) if group.tasks]
        shared = [flow.blocks(flow.through(expert, every), every) for expert in self.experts]
        found: dict[tuple[int, int], Representation] = {}
        for branch, chosen in self.wanted(groups).items():
            for group, own in self._mixed(flow, branch, chosen, shared).items():
                found[group, branch] = own
        return self.gather(groups, lambda group, branch: found[group, branch])

    def telemetry(self, seen: Seen) -> dict[str, Tensor]:
        """How much each branch uses each of its experts: `use.BRANCH.I`."""
        return uses(self, seen)

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """The branch's gate and experts."""
        number = self.names.index(branch)
        return (self.gates[number], self.specific[number]) if len(self.specific) else (self.gates[number],)

    def drawn_as(self, path: str) -> str:
        """The first shared expert is drawn as hard sharing's encoder."""
        first = "experts.0"
        return path.replace(first, "encoder", 1) if path.startswith(f"{first}.") else path

    def _mixed(
        self, flow: Flow, branch: int, chosen: Sequence[int], shared: Sequence[Mapping[int, Tensor]]
    ) -> dict[int, Representation]:
        """The mixture of a branch's experts on its rows, by group."""
        outputs = [torch.cat([blocks[group] for group in chosen]) for blocks in shared]
        if len(self.specific):
            specific = self.specific[branch]
            assert isinstance(specific, nn.ModuleList)
            outputs += [flow.through(expert, chosen) for expert in specific]
        gate = flow.through(self.gates[branch], chosen)
        features = mixed(gate, outputs)
        blocks, gates = flow.blocks(features, chosen), flow.blocks(gate, chosen)
        return {group: Representation(x, x, taps={GATE: gates[group]}) for group, x in blocks.items()}
