"""Entropy minimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dareps.alignment._base import TargetTerm
from dareps.alignment._checks import check_rows

if TYPE_CHECKING:
    from torch import Tensor


class EntropyMinimisation(TargetTerm):
    """Mean entropy of target predictions: pushes class boundaries out of dense regions of the target.

    (1/m) sum_i H(p_i), H(p) = -sum_k p_k log p_k with p = softmax(logits), in [0, log c]: 0 when every prediction is
    certain, log c when all are uniform. A constant prediction is a minimum as well; `information_maximisation` has the
    term that speaks against it.

    logits (m, c) -> (). Grandvalet & Bengio, NIPS 2004, section 2 (the empirical conditional entropy of Y given X).
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "logits"
    nonnegative: ClassVar[bool] = True
    duplication: ClassVar[bool] = True
    gradient: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    def __call__(self, target: Tensor) -> Tensor:  # type: ignore[override]
        """The mean entropy of the predictions from target logits (m, c), 0-d."""
        from dareps.maths.precision import widened

        check_rows(self.name, "target", target)
        return widened(self._mean_entropy, target)

    def _mean_entropy(self, logits: Tensor) -> Tensor:
        from dareps.maths.entropy import entropies, log_probabilities

        return entropies(log_probabilities(logits)).mean()
