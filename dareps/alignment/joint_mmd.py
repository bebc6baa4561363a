"""Joint maximum mean discrepancy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_beside, check_samples, present, rows_for
from dareps.types import Kind

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import View


class JointMMD(Alignment):
    """Joint maximum mean discrepancy (JAN) of features together with predictions.

    MMD with the product kernel k(x, x') = k_f(f, f') k_p(p, p') over the layers [f = features, p = softmax of
    logits, or numbers as a head gives them, standardised]:

    * k_f: sum over i = -r..r of exp(-|f - f'|^2 / (2^i b)), r = 2, b the mean of |f_i - f_j|^2 over the pairs i != j of
      the pooled rows, detached, or a number; b = 0 gives a constant.
    * k_p: one Gaussian exp(-|p - p'|^2 / c), c = 1.68, or the mean of |p_i - p_j|^2 likewise.

    With one Gaussian each of a common bandwidth it is the MMD of [f, p] side by side. Gradients flow through features
    and logits of both domains. The estimator is

    * biased: all n^2 and m^2 pairs; >= 0. Its bias, about 2 (2 r + 1) / n for far apart rows, falls as features draw
      together, so that a large weight on small batches can collapse them.
    * unbiased: without the pairs of a row with itself; can be negative, needs two rows a side. The paper's estimator is
      unbiased, too, but takes O(n) of the pairs.

    source (n, d), target (m, d), their logits (n, c), (m, c) -> (). Long et al., ICML 2017, section 4.1 (JMMD);
    2 r + 1 = 5 Gaussians on features and c = 1.68 as in the authors' code.
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"
    kinds: ClassVar[tuple[Kind, ...]] = ("classification", "regression")
    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    estimator: Literal["biased", "unbiased"] = "biased"
    """Which estimate of the squared discrepancy."""
    octaves: int = Field(2, ge=0, le=20)
    """r: features have 2 r + 1 Gaussians, bandwidths b / 2^r to 2^r b."""
    bandwidth: Literal["mean"] | Annotated[float, Field(gt=0)] = "mean"
    """b: the batch's mean squared distance of features, or a number."""
    prediction_bandwidth: Literal["mean"] | Annotated[float, Field(gt=0)] = 1.68
    """c: a number, or the batch's mean squared distance of predictions."""

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags as far as they hold for these settings."""
        biased, fixed = self.estimator == "biased", "mean" not in (self.bandwidth, self.prediction_bandwidth)
        held = {"nonnegative": biased, "zero_on_identical": biased, "duplication": biased and fixed}
        return {**super().claims(), **held, "unbiased": not biased, "gradient": fixed}

    def between(self, source: View, target: View) -> Tensor:
        """The loss between two streams, 0-d."""
        logits = (present(self.name, "logits", view.logits) for view in (source, target))
        return self(source.shared, target.shared, *logits, numbers=source.kind == "regression")

    def __call__(  # type: ignore[override]
        self,
        source: Tensor,
        target: Tensor,
        source_logits: Tensor,
        target_logits: Tensor,
        *,
        numbers: bool = False,
    ) -> Tensor:
        """The discrepancy of source (n, d) and target (m, d) with logits (n, c) and (m, c), or with `numbers`, 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target, least=rows_for(self.estimator))
        check_samples(self.name, source_logits, target_logits, arguments=("source_logits", "target_logits"))
        check_beside(self.name, "source_logits", source_logits, source)
        check_beside(self.name, "target_logits", target_logits, target)
        joint = self._of_numbers if numbers else self._of_logits
        return widened(joint, source, target, source_logits, target_logits)

    def _of_logits(self, source: Tensor, target: Tensor, source_logits: Tensor, target_logits: Tensor) -> Tensor:
        return self._of_numbers(source, target, source_logits.softmax(1), target_logits.softmax(1))

    def _of_numbers(self, source: Tensor, target: Tensor, source_outputs: Tensor, target_outputs: Tensor) -> Tensor:
        from dareps.maths.kernels import gaussian, pooled_rows
        from dareps.maths.pairs import biased_weights, pair_sum, unbiased_weights

        features = pooled_rows(source, target)
        predictions = pooled_rows(source_outputs, target_outputs)
        layers = [_unit(features, self.bandwidth), _unit(predictions, self.prediction_bandwidth)]
        weights = biased_weights if self.estimator == "biased" else unbiased_weights
        return pair_sum(layers, [gaussian(self.octaves), gaussian(0)], *weights(features, len(source)))


def _unit(rows: Tensor, bandwidth: str | float) -> Tensor:
    from dareps.maths.kernels import mean_bandwidth, unit_rows

    return unit_rows(rows, mean_bandwidth(rows) if isinstance(bandwidth, str) else bandwidth)
