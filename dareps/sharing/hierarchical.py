"""Hierarchical sharing: some stages for all, some for few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from dareps.errors import ConfigError
from dareps.sharing._base import Blueprint, BranchedScheme, Limit, check_tasks
from dareps.types import Along

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule


class Hierarchical(BranchedScheme):
    """One chain of stages of which tasks, or domains, share a part.

    Along tasks, h^l = f_l(h^{l-1}) and task t reads h^{l(t)}, flattened, with l(t) given by `reads`: simple tasks low,
    others high (Sogaard & Goldberg, ACL 2016, section 2). A task teaches the stages up to its own and no higher; stages
    that no wanted task reads do not run. Every task at the last stage is hard sharing.

    Along domains, the stages up to `until` are each domain's own and the rest are shared (`private: low`, inputs that
    look different and mean the same), or the reverse (`private: high`). Private stages start as copies of one draw.

    rows (n, *shape) -> (n, d_l) of the stage that the task reads, for its head and for alignments alike.

    Raises:
        ConfigError: There is one branch only; a task or a stage does not exist; or a part would have no parameters: the
            error names the stage and the shapes on both its sides.
    """

    reads: dict[str, str] = Field(default_factory=dict)
    """Along tasks: the stage that a task reads, as in {colour: conv1}; the last one for tasks left out."""
    private: Literal["low", "high"] = "low"
    """Along domains: which end of the encoder each domain has for itself."""
    until: str | None = None
    """Along domains: the last of the low stages; open means as few private stages with parameters as can be: one."""

    @property
    def isolated(self) -> bool:
        """Stages that no wanted branch needs do not run."""
        return True

    def limits(self) -> Mapping[Limit, Self]:
        """Every task at the last stage."""
        return {"hard": self.model_copy(update={"along": "tasks", "reads": {}, "until": None})}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """One encoder read at several stages, or one of which a part is there once per domain."""
        along, names = self.branches(blueprint)
        self._check(along, names)
        if along == "tasks":
            from dareps.sharing._tapped import TappedEncoder

            return TappedEncoder(self.reads, blueprint, along, names)
        from dareps.sharing._split import SplitEncoder

        return SplitEncoder(self.private, self.until, blueprint, along, names)

    def _check(self, along: Along, names: tuple[str, ...]) -> None:
        """Refuse settings of the other direction, and tasks that do not exist."""
        if along == "domains" and self.reads:
            fix = "Set sharing.along=tasks, or leave reads out."
            raise ConfigError("sharing.reads", "domains do not read at stages of their own", self.reads, fix)
        if along == "tasks" and self.until is not None:
            fix = "Set sharing.along=domains, or leave until out."
            raise ConfigError("sharing.until", "tasks read at stages instead", self.until, fix)
        check_tasks("sharing.reads", self.reads, names)
