"""Multi-gate mixture of experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from pydantic import Field

from dareps.sharing._base import Blueprint, BranchedScheme, Limit

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule


class MMoE(BranchedScheme):
    """Several encoders for all, mixed by a gate per branch (MMoE).

    Branch t's features are the sum over experts i of g_t(x)_i E_i(x) with g_t(x) = softmax(W_t x + b_t): every expert
    runs on every row once, and a branch has nothing for itself but its gate (Ma et al., KDD 2018, section 4, eight
    experts as there). x is the flattened input; of images, its means over at most 8 x 8 places, so that gates stay
    small. Experts start from draws of their own, since equal ones would stay equal. One expert is hard sharing.

    `sharing.use.BRANCH.I` logs the mean of g_t(x)_i over the branch's rows.

    rows (n, *shape) -> features (n, d), gate values (n, experts) in `taps["gate"]`.

    Raises:
        ConfigError: There is one branch only.
    """

    name = "mmoe"
    experts: int = Field(8, gt=0)
    """Number of encoders."""

    @property
    def isolated(self) -> bool:
        """The gate of an absent branch does not run."""
        return True

    def limits(self) -> Mapping[Limit, Self]:
        """One expert."""
        return {"hard": self.model_copy(update={"experts": 1})}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """The experts and a gate per branch."""
        from dareps.sharing._experts import GatedExperts

        return GatedExperts(self.experts, 0, blueprint, *self.branches(blueprint))
