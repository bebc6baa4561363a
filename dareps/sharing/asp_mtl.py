"""Adversarial shared-private multi-task learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dareps.plugin import Tune
from dareps.schedules import Constant, Schedule
from dareps.sharing._base import Blueprint, BranchedScheme, Term

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule


class AspMtl(BranchedScheme):
    """A shared encoder that must not tell branches apart, beside private ones; heads read both (ASP-MTL).

    With shared and private features S, H (n, d) of each branch's rows, heads read [s; h] (n, 2 d), and

    - `sharing.adversary`: the mean over branches of the mean of -log softmax(b + U r(s)) at the branch's place, where r
      reverses the gradient: U and b learn to tell branches apart, the shared encoder to prevent it;
    - `sharing.difference`: the sum over branches of |S' H|_F^2 (Liu et al., ACL 2017, eq. 15 and what it
      sums up, with its weights).

    In the paper the branches are 16 review domains, each with rows of its own. Along tasks that are asked of the same
    rows there is nothing to tell apart, and the adversary has no effect in the end. Along domains of which one has no
    labels, heads never learned to read its private features. Alignments see S.

    rows (n, *shape) -> features (n, 2 d) for heads, shared ones (n, d) for alignments, private ones (n, d) beside them.

    Raises:
        ConfigError: There is one branch only.
    """

    adversary: Annotated[float, Tune(0.1, 10.0, log=True, relative=True)] = Field(0.05, ge=0)
    """Weight of the adversary."""
    difference: Annotated[float, Tune(0.1, 10.0, log=True, relative=True)] = Field(0.01, ge=0)
    """Weight of the difference."""
    schedule: Schedule = Constant()
    """Factor on both weights as a function of progress."""

    @property
    def isolated(self) -> bool:
        """Private encoders of absent branches do not run."""
        return True

    def terms(self) -> tuple[Term, ...]:
        """Adversary and difference, where their weights are above 0."""
        weights = {"adversary": self.adversary, "difference": self.difference}
        return tuple(Term(name, weight, self.schedule) for name, weight in weights.items() if weight > 0)

    def build(self, blueprint: Blueprint) -> SharingModule:
        """The shared encoder, the private ones and the adversary."""
        from dareps.sharing._asp_mtl import AdversarialEncoders

        wanted = [term.name for term in self.terms()]
        return AdversarialEncoders(wanted, blueprint, *self.branches(blueprint))
