"""Sluice networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from dareps.plugin import Tune
from dareps.schedules import Constant, Schedule
from dareps.sharing._base import Blueprint, BranchedScheme, Limit, Term

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule


class Sluice(BranchedScheme):
    """Separate encoders that exchange subspaces after every stage and are read at all stages.

    The channels of each stage with parameters fall into K equal subspaces. After stage l

        y_{t,k} = sum over branches u and subspaces j of alpha^l_{tk,uj} x_{u,j},    alpha^l (T K, T K),

    which mixes branches and subspaces, never the units within one. Branch t's features are

        sum over l of beta_{t,l} B_{t,l}(y_t^l),    beta (T, L),

    with B the identity where the stage is as wide as the features; elsewhere it is a linear map that starts at 0, of
    means over places for images. `sharing.orthogonality` is the sum over t, l and pairs k < j of subspaces of
    |G_{t,l,k} G_{t,l,j}'|_F^2, G_{t,l,k} (units of the subspace, inputs) being those rows of the stage's weights that
    make it (Ruder et al., AAAI 2019, section 3, there for recurrent layers; 0.1 as in the authors' code).

    alpha starts with `own` on its diagonal and the rest shared equally, so that rows sum to 1; beta with `last` on the
    last stage and the rest shared equally by the others. Branches start as copies of one draw. Every branch runs on
    every row, so none is isolated. With own and last at 1 the start is separate encoders.

    rows (n, *shape) -> features (n, d) of the wanted branch.

    Raises:
        ConfigError: There is one branch only, or a stage's channels do not fall into `subspaces` equal parts: the error
            names the stage, its shape and what it would have to be.
    """

    subspaces: int = Field(2, gt=0)
    """K, the parts of each stage's channels."""
    own: float = Field(0.9, ge=0, le=1)
    """Where the weight of a branch's own subspace starts."""
    last: float = Field(0.9, ge=0, le=1)
    """Where the weight of the last stage starts."""
    rate: float = Field(1.0, gt=0)
    """Multiple of the learning rate at which alpha and beta learn, without weight decay."""
    orthogonality: Annotated[float, Tune(0.1, 10.0, log=True, relative=True)] = Field(0.1, ge=0)
    """Weight of the penalty on subspaces that read the same."""
    schedule: Schedule = Constant()
    """Factor on that weight as a function of progress."""

    def terms(self) -> tuple[Term, ...]:
        """The orthogonality of subspaces, where its weight is above 0 and there are several."""
        wanted = self.orthogonality > 0 and self.subspaces > 1
        return (Term("orthogonality", self.orthogonality, self.schedule),) if wanted else ()

    def limits(self) -> Mapping[Limit, Self]:
        """Mixtures at the identity, read at the last stage."""
        return {"separate": self.model_copy(update={"own": 1.0, "last": 1.0, "orthogonality": 0.0})}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """One encoder per branch, a mixture after each stage that has parameters, and one over stages."""
        from dareps.sharing._sluice import Gates, SluiceEncoders

        gates = Gates(self.subspaces, self.own, self.last, self.rate, bool(self.terms()))
        return SluiceEncoders(gates, blueprint, *self.branches(blueprint))
