"""Minimum class confusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import TargetTerm
from dareps.alignment._checks import check_rows
from dareps.plugin import Tune

if TYPE_CHECKING:
    from torch import Tensor


class MinimumClassConfusion(TargetTerm):
    """Minimum class confusion (MCC): how much target predictions mix classes.

    P = softmax(logits / T) (m, c), w_i proportional to 1 + exp(-H(p_i)) with mean 1 and no gradient, C = P' diag(w) P
    with rows normalised, loss = (1 / c) sum of C off the diagonal, in [0, (c - 1) / c]: the upper end when every
    prediction is uniform, 0 when all are certain.

    logits (m, c) -> (). Jin et al., ECCV 2020, section 3; T = 2.5 and the detached weights as in the authors' code.
    """

    name: ClassVar[str] = "mcc"
    reads: ClassVar[Literal["shared", "logits"]] = "logits"
    nonnegative: ClassVar[bool] = True
    duplication: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    temperature: Annotated[float, Tune(1.0, 5.0, log=True)] = Field(2.5, gt=0)
    """T, by which logits are divided."""

    def __call__(self, target: Tensor) -> Tensor:  # type: ignore[override]
        """The confusion of target logits (m, c), 0-d."""
        from dareps.maths.precision import widened

        check_rows(self.name, "target", target)
        return widened(self._confusion, target)

    def _confusion(self, logits: Tensor) -> Tensor:
        # C_jj' summed over j' is sum_i w_i p_ij, as each p_i sums to 1, so row j of the normalised C has the
        # off-diagonal mass sum_i q_ij (1 - p_ij) with q_ij = w_i p_ij / sum_i w_i p_ij: no c x c matrix, and a
        # softmax over rows instead of a quotient that is 0 / 0 for a class nobody predicts.
        log_p = (logits / self.temperature).log_softmax(1)
        p = log_p.exp()
        entropy = -(p * log_p).detach().sum(1, keepdim=True)
        share = (log_p + (-entropy).exp().log1p()).softmax(0)
        return (share * (1 - p)).sum(0).mean()
