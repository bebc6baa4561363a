"""Information maximisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import TargetTerm
from dareps.alignment._checks import check_rows
from dareps.plugin import Tune

if TYPE_CHECKING:
    from torch import Tensor


class InformationMaximisation(TargetTerm):
    """Information maximisation (IM): target predictions certain one by one, diverse as a whole.

    mean_i H(p_i) - diversity H(mean_i p_i) with p = softmax(logits), H(p) = -sum_k p_k log p_k: with diversity 1 the
    negative mutual information of rows and predictions, in [-log c, 0]. It is -log c when predictions are certain and
    classes balanced, 0 when all rows are predicted alike. The balance is that of the batch, so classes should occur
    equally often, and batches should hold several rows a class.

    logits (m, c) -> (). Liang et al., ICML 2020 (SHOT), section 3.2.
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "logits"
    duplication: ClassVar[bool] = True
    gradient: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    diversity: Annotated[float, Tune(0.3, 3.0, log=True)] = Field(1.0, ge=0)
    """Factor on the entropy of the mean prediction; 0 is entropy minimisation."""

    def __call__(self, target: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of the predictions from target logits (m, c), 0-d."""
        from dareps.maths.precision import widened

        check_rows(self.name, "target", target)
        return widened(self._information, target)

    def _information(self, logits: Tensor) -> Tensor:
        from dareps.maths.entropy import entropies, log_mean, log_probabilities

        log_p = log_probabilities(logits)
        return entropies(log_p).mean() - self.diversity * entropies(log_mean(log_p))
