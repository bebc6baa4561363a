"""Shared features behind an adversary, beside private ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from dareps.maths.precision import wide, widened
from dareps.maths.reversal import reverse
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import total
from dareps.sharing._codes import frobenius
from dareps.sharing._modules import Seen
from dareps.sharing._private import SharedBesidePrivate
from dareps.types import Along, Representation


class AdversarialEncoders(SharedBesidePrivate):
    """Heads read both codes; penalties keep the shared one free of what is special.

    Args:
        wanted: The penalties to compute, of `adversary` and `difference`.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, wanted: Collection[str], blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        self.differs = "difference" in wanted
        self.adversary = nn.Linear(self.encoder.features, len(names)) if "adversary" in wanted else None

    def joined(self, shared: Tensor, private: Tensor | None) -> Representation:
        """Shared and private codes side by side for heads."""
        assert private is not None
        return Representation(task=torch.cat((shared, private), 1), shared=shared, private=private)

    def penalties(self, seen: Seen) -> dict[str, Tensor]:
        """The adversary's loss and the difference."""
        codes = {branch: self.codes(seen, branch) for branch in self.wanted(seen.groups)}
        found: dict[str, Tensor] = {}
        if self.adversary is not None:
            losses = [self._told(shared, branch) for branch, (shared, _) in codes.items()]
            found["adversary"] = total(losses) / len(losses)
        if self.differs:
            found["difference"] = total(widened(frobenius, wide(shared), private) for shared, private in codes.values())
        return found

    def _told(self, shared: Tensor, branch: int) -> Tensor:
        """How well the adversary knows a branch by its shared codes: the mean logistic loss, 0-d."""
        assert self.adversary is not None
        return -wide(self.adversary(reverse(shared, shared.new_ones(())))).log_softmax(1)[:, branch].mean()
