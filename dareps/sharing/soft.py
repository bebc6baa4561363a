"""Soft parameter sharing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.plugin import Strength
from dareps.schedules import Constant, Schedule
from dareps.sharing._base import Blueprint, BranchedScheme, Limit, Term

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule

Norm = Literal["l2", "laf", "tucker", "tt"]


class Soft(BranchedScheme):
    """Separate encoders, one per branch, pulled towards each other by a penalty on their weights.

    With the encoders' parameters theta_t of stage l over branches t = 1..T and their mean m^l:

    - `l2`: sum over l of a_l sum over t of |theta_t^l - m^l|^2 (Duong et al., ACL 2015, section 3, for T tasks; it is
      1 / (2 T) of the sum over all ordered pairs of |theta_t^l - theta_u^l|^2, at the cost of T);
    - `laf`, `tucker`, `tt`: each weight tensor of the branches stacked along a last axis, W (D_1, ..., D_{N-1}, T), is
      given the trace norm |.|_* of its last-axis flattening (T, D_1 ... D_{N-1}), of all N mode flattenings, or of all
      N - 1 tensor-train flattenings (D_1 ... D_i, D_{i+1} ... T), summed (Yang & Hospedales, ICLR 2017 workshop,
      section 2). Biases stay free; directions of singular value 0 get no gradient.

    a_l is the stage's own factor, 1 unless `stages` says otherwise. Heads belong to tasks and are never coupled, nor
    are the running statistics of normalisation layers. Branches start as copies, so `l2` starts at 0.

    With `update: proximal` no penalty enters the objective; after each step of learning rate r every weight moves to

        m + (theta_t - m) / (1 + 2 r coupling a_l),

    which minimises |theta - theta_t|^2 / 2 + r coupling times the penalty over all branches together (`l2` alone). So
    an optimizer that rescales gradients does not rescale the coupling. Either kind moves absent branches, too.

    `coupling: 0` is separate encoders and no penalty at all; `coupling: inf` is one encoder and equals hard sharing
    under every optimizer.

    rows (n, *shape) -> features (n, d) of the branch's encoder, for heads and alignments alike.

    Raises:
        ConfigError: There is one branch only, or `stages` names a stage that the encoder lacks.
    """

    coupling: Strength = 0.01
    """Weight of the penalty; `inf` for one encoder. Papers give no default: 0.001 to 0.1 is the usual range."""
    norm: Norm = "l2"
    """Squared distance to the mean, or a trace norm of the stacked weights."""
    stages: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Factors of single stages on the penalty, as in {conv1: 0.1}; 1 for those left out."""
    scale: Literal["sum", "mean"] = "sum"
    """`mean` divides a stage's penalty by its number of values, so that width and depth leave the weight's meaning."""
    update: Literal["penalty", "proximal"] = "penalty"
    """Whether the pull is part of the objective, or a step of its own after the optimizer's."""
    schedule: Schedule = Constant()
    """Factor on the coupling as a function of progress."""

    @model_validator(mode="after")
    def _has_a_proximal_map(self) -> Self:
        """Refuse a proximal step of what has none here."""
        if self.update == "proximal" and self.norm != "l2":
            context = {"norm": self.norm, "fix": "Set sharing.norm=l2 or sharing.update=penalty."}
            raise PydanticCustomError("proximal", "only l2 has a proximal update, not {norm}. {fix}", context)
        return self

    @property
    def isolated(self) -> bool:
        """Only without a coupling: a penalty moves absent branches, too."""
        return self.coupling in (0, "inf")

    def terms(self) -> tuple[Term, ...]:
        """The coupling, where it is a penalty."""
        term = self._coupled()
        return (term,) if term is not None and self.update == "penalty" else ()

    def proximal(self) -> Term | None:
        """The coupling, where it is a step of its own."""
        return self._coupled() if self.update == "proximal" else None

    def _coupled(self) -> Term | None:
        weight = self.coupling
        return Term("coupling", weight, self.schedule) if isinstance(weight, float) and weight > 0 else None

    def limits(self) -> Mapping[Limit, Self]:
        """Both ends of the coupling."""
        return {
            "hard": self.model_copy(update={"coupling": "inf"}),
            "separate": self.model_copy(update={"coupling": 0.0}),
        }

    def build(self, blueprint: Blueprint) -> SharingModule:
        """One encoder per branch, or a single one."""
        from dareps.sharing._modules import HardSharing
        from dareps.sharing._soft import Distance, SoftSharing

        along, names = self.branches(blueprint)
        if self.coupling == "inf":
            return HardSharing(blueprint.make_encoder())
        distance = Distance(self.norm if self.terms() else None, self.stages, self.scale == "mean")
        return SoftSharing(distance, blueprint, along, names)
