"""A shared encoder beside private ones: what DSN and ASP-MTL are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dareps.sharing._base import Blueprint
from dareps.sharing._branched import BranchedModule
from dareps.sharing._modules import Found, Group, Seen
from dareps.types import Along, Representation

Codes = dict[tuple[int, int], Tensor]


class SharedBesidePrivate(BranchedModule):
    """A shared encoder, which runs on all rows, and a private one per branch, which runs on the branch's.

    Args:
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
        private: Whether there are private encoders at all.
    """

    def __init__(self, blueprint: Blueprint, along: Along, names: Sequence[str], *, private: bool = True) -> None:
        super().__init__(blueprint, along, names)
        self.encoder = blueprint.make_encoder()
        self.private = nn.ModuleList([blueprint.make_encoder() for _ in names if private])

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """One pass of the shared encoder, and one of each wanted private encoder over its rows."""
        flow, private = self.flow(joined, groups), Codes()
        chosen = [number for number, group in enumerate(groups) if group.tasks]
        shared = flow.blocks(flow.through(self.encoder, chosen), chosen)
        for branch, own in self.wanted(groups).items():
            if len(self.private):
                codes = flow.blocks(flow.through(self.private[branch], own), own)
                private |= {(group, branch): block for group, block in codes.items()}
        return self.gather(groups, lambda group, branch: self.joined(shared[group], private.get((group, branch))))

    def joined(self, shared: Tensor, private: Tensor | None) -> Representation:
        """What heads and alignments get of the two codes (n, d)."""
        return Representation(task=shared, shared=shared, private=private)

    def codes(self, seen: Seen, branch: int) -> tuple[Tensor, Tensor]:
        """Shared and private codes (n, d) of all rows that a branch has in a step."""
        chosen = self.wanted(seen.groups)[branch]
        own = [self.representation(seen, group, branch) for group in chosen]
        private = [each.private for each in own if each.private is not None]
        return torch.cat([each.shared for each in own]), torch.cat(private)

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """The branch's private encoder."""
        return (self.private[self.names.index(branch)],) if len(self.private) else ()
