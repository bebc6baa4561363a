"""Progressive layered extraction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from pydantic import Field

from dareps.sharing._base import Blueprint, BranchedScheme, Limit

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule


class PLE(BranchedScheme):
    """CGC on several levels, with a stream for each branch and a shared one between them (PLE).

    The encoder's stages fall into levels. With streams x_t of the branches and x_s, all of them the input at first, a
    level makes

        x_t' = sum over i of softmax(W_t x_t + b_t)_i E_i,    i over the shared experts E(x_s) and t's own E_t(x_t),
        x_s' = sum over i of softmax(W_s x_s + b_s)_i E_i,    i over the experts of all branches and the shared ones,

    and the last level has no x_s' (Tang et al., RecSys 2020, section 4.2). The shared stream is one for all branches.
    Gates read the stream, flattened; of images, its means over at most 8 x 8 places. The first shared expert of each
    level starts as hard sharing's stages, every other from a draw of its own; one shared expert and none of one's own
    is hard sharing.

    A branch has for itself what no other reads: its experts on the last level, and its gates there and one level below.
    Below the last level its experts E_t are part of x_s, which every branch reads: by the definition they run on all
    rows and learn from every branch, like shared ones, and are counted as such.

    `sharing.use.BRANCH.I` logs the mean gate values of the last level, shared experts first.

    rows (n, *shape) -> features (n, d), gate values of the last level (n, shared + own) in `taps["gate"]`.

    Raises:
        ConfigError: There is one branch only.
    """

    name = "ple"
    shared: int = Field(1, gt=0)
    """Number of shared experts on each level."""
    own: int = Field(1, ge=0)
    """Number of experts that each branch has on each level."""
    levels: int = Field(2, gt=0)
    """Number of levels, at most one for each stage that has parameters; the last takes in what stages are left."""

    def limits(self) -> Mapping[Limit, Self]:
        """One shared expert and none of one's own."""
        return {"hard": self.model_copy(update={"shared": 1, "own": 0})}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """The experts and gates of every level."""
        from dareps.sharing._ple import Counts, LayeredExperts

        return LayeredExperts(Counts(self.shared, self.own, self.levels), blueprint, *self.branches(blueprint))

    @property
    def isolated(self) -> bool:
        """What a branch alone reads does not run, or leads nowhere, without it."""
        return True
