"""Customised gate control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from pydantic import Field

from dareps.sharing._base import Blueprint, BranchedScheme, Limit

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule


class CGC(BranchedScheme):
    """Shared experts and experts of each branch's own, mixed by a gate per branch (CGC, one level of PLE).

    Branch t's features are the sum over experts i of g_t(x)_i E_i(x), where i runs over the shared experts and those of
    branch t, and g_t(x) = softmax(W_t x + b_t) (Tang et al., RecSys 2020, eq. 1 to 4). x is the flattened input; of
    images, its means over at most 8 x 8 places. A branch's own experts run on its rows alone. The first shared expert
    starts as hard sharing's encoder, every other from a draw of its own; one shared expert and none of one's own is
    hard sharing.

    `sharing.use.BRANCH.I` logs the mean of g_t(x)_i over the branch's rows, shared experts first.

    rows (n, *shape) -> features (n, d), gate values (n, shared + own) in `taps["gate"]`.

    Raises:
        ConfigError: There is one branch only.
    """

    name = "cgc"
    shared: int = Field(1, gt=0)
    """Number of shared encoders."""
    own: int = Field(1, ge=0)
    """Number of encoders that each branch has for itself."""

    @property
    def isolated(self) -> bool:
        """Gate and experts of an absent branch do not run."""
        return True

    def limits(self) -> Mapping[Limit, Self]:
        """One shared expert and none of one's own."""
        return {"hard": self.model_copy(update={"shared": 1, "own": 0})}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """The experts and a gate per branch."""
        from dareps.sharing._experts import GatedExperts

        return GatedExperts(self.shared, self.own, blueprint, *self.branches(blueprint))
