"""Domain separation networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.plugin import Tune
from dareps.schedules import Constant, Schedule
from dareps.sharing._base import Blueprint, BranchedScheme, Limit, Term

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule

Difference = Literal["scale_free", "normalised", "frobenius"]


class SharedPrivate(BranchedScheme):
    """A shared encoder for heads and alignments, and a private encoder per branch for what is special about it (DSN).

    With shared and private codes H_c, H_p (n, d) of a branch's rows x, and a decoder D that all branches share:

    - `sharing.reconstruction`: sum over branches of the mean over rows of |e|^2 / k - (1'e)^2 / k^2 with the error
      e = x - D(h_c + h_p) and k values a row: its variance within the row, so that a wrong overall brightness is free;
    - `sharing.difference`: sum over branches of how far the two codes speak of the same. `frobenius` is the paper's
      |H_c' H_p|_F^2, which grows with the batch and with the codes. `normalised` is its authors' code: columns centred,
      rows of unit length, mean of the squared entries of H_c' H_p. `scale_free` is linear CKA: columns centred,
      |H_c' H_p|_F^2 / (|H_c' H_c|_F |H_p' H_p|_F), in [0, 1] whatever batch, width and scale.

    The similarity term is an alignment of its own (`align: [{name: adversarial, weight: 0.25}]`). The private encoders
    start from draws of their own: equal to the shared one they would learn the same. Bousmalis et al., NIPS 2016, eq. 1
    and 3 to 5, weights from its supplement; there the extra losses begin after 10000 steps, here by `schedule`.

    rows (n, *shape) -> shared codes (n, d) for heads and alignments, private codes (n, d) beside them.

    Raises:
        ConfigError: There is one branch only, or a difference is asked for without private encoders.
    """

    private: Literal["own", "none"] = "own"
    """A private encoder per branch, or none, which with both weights at 0 is hard sharing."""
    reconstruction: Annotated[float, Tune(0.1, 10.0, log=True, relative=True)] = Field(0.01, ge=0)
    """Weight of the reconstruction."""
    difference: Annotated[float, Tune(0.1, 10.0, log=True, relative=True)] = Field(0.075, ge=0)
    """Weight of the difference."""
    form: Difference = "scale_free"
    """How the difference is measured."""
    error: Literal["scale_invariant", "squared"] = "scale_invariant"
    """The reconstruction as above, or without its second term."""
    hidden: int = Field(100, gt=0)
    """Units of the decoder's hidden layer; images grow from 16 channels at a quarter of their sides instead."""
    schedule: Schedule = Constant()
    """Factor on both weights as a function of progress."""

    @model_validator(mode="after")
    def _has_what_differs(self) -> Self:
        """Refuse a difference from nothing."""
        if self.private == "none" and self.difference > 0:
            context = {"fix": "Set sharing.difference=0."}
            raise PydanticCustomError("difference", "there are no private codes to differ from. {fix}", context)
        return self

    @property
    def isolated(self) -> bool:
        """Private encoders of absent branches do not run."""
        return True

    def terms(self) -> tuple[Term, ...]:
        """Reconstruction and difference, where their weights are above 0."""
        weights = {"reconstruction": self.reconstruction, "difference": self.difference}
        return tuple(Term(name, weight, self.schedule) for name, weight in weights.items() if weight > 0)

    def limits(self) -> Mapping[Limit, Self]:
        """Nothing private, and no extra weights."""
        nothing = {"private": "none", "reconstruction": 0.0, "difference": 0.0}
        return {"hard": self.model_copy(update=nothing)}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """The shared encoder, the private ones and the decoder."""
        from dareps.sharing._shared_private import SeparatedEncoders, Separation

        wanted = tuple(term.name for term in self.terms())
        separation = Separation(self.private == "own", wanted, self.form, self.error, self.hidden)
        return SeparatedEncoders(separation, blueprint, *self.branches(blueprint))
