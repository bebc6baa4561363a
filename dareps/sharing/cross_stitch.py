"""Cross-stitch networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from pydantic import Field

from dareps.sharing._base import Blueprint, BranchedScheme, Limit

if TYPE_CHECKING:
    from torch import nn

    from dareps.sharing._modules import SharingModule


class CrossStitch(BranchedScheme):
    """Separate encoders whose outputs are mixed after every stage, by learned weights per channel.

    After each stage l that has parameters, branch t reads on from

        y_t = sum over u of alpha^l_{tu} * x_u,    alpha^l (T, T, channels),

    where x_u is what branch u's stage made of the same rows (Misra et al., CVPR 2016, eq. 1, for T branches; there
    after pooling and dense layers, which is where stages end). alpha_tt starts at `own` and every other at
    (1 - own) / (T - 1): 0.9 and 0.1 for two branches, the paper's best pair. Only the start is a convex combination.
    There is no penalty; alpha learns at `rate` times the learning rate (the paper's 100 to 1000, with SGD).

    Branches start as copies of one draw, as the paper's start from one trained network. Every branch runs on every row,
    since it is part of all mixtures; so none is isolated. With `own: 1` the mixtures start at the identity, and the
    encoders give and learn what separate ones would on the same rows.

    rows (n, *shape) -> features (n, d) of the wanted branch after the last mixture.

    Raises:
        ConfigError: There is one branch only.
    """

    own: float = Field(0.9, ge=0, le=1)
    """Where the weight of a branch's own features starts."""
    rate: float = Field(100.0, gt=0)
    """Multiple of the learning rate at which alpha learns, without weight decay."""

    def limits(self) -> Mapping[Limit, Self]:
        """Mixtures at the identity."""
        return {"separate": self.model_copy(update={"own": 1.0})}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """One encoder per branch, and a unit after each stage that has parameters."""
        from dareps.sharing._cross_stitch import StitchedEncoders, StitchUnit

        along, names = self.branches(blueprint)

        def unit(_: str, shape: tuple[int, ...]) -> nn.Module:
            return StitchUnit(len(names), shape[0], self.own)

        return StitchedEncoders(unit, self.rate, blueprint, along, names)
