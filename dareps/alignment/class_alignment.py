"""Contrastive domain discrepancy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import LabelledPair
from dareps.alignment._checks import rows_for
from dareps.plugin import Tune

if TYPE_CHECKING:
    from torch import Tensor


class ClassAlignment(LabelledPair):
    """Contrastive domain discrepancy (CDD): the same class close across domains, different classes apart.

    With D(k, l) the squared maximum mean discrepancy between source rows of class k and target rows of class l,

        mean over k of D(k, k) - inter * mean over k != l of D(k, l).

    Target classes are pseudo-labels, the largest logits. Pairs of which one side has no row in the batch are left out
    of the means, and a mean of none is 0. D is the biased estimate, whose bias falls as features draw together, so that
    a large weight on small batches can collapse them, or the unbiased one, which needs two rows of a class on each
    side. The kernel is that of `mmd` with its mean bandwidth of the pooled rows, one for all pairs. Gradient reaches
    features alone.

    Simplified against the paper (CAN), which assigns target classes by spherical k-means over the whole target from
    source class centres, drops ambiguous rows and small clusters, and samples every batch class by class: here classes
    come from the batch's logits, and `confidence` drops rows.

    source (n, d), target (m, d), labels (n,), logits (m, c) -> (). Kang et al., CVPR 2019, eq. 3 to 5; weight 0.3 as
    published.
    """

    symmetric: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18
    scale: ClassVar[float | None] = 0.0

    estimator: Literal["biased", "unbiased"] = "biased"
    """Whether pairs of a row with itself count."""
    inter: Annotated[float, Tune(0.1, 3.0, log=True)] = Field(1.0, ge=0)
    """Factor on the discrepancy between different classes; 0 leaves the class-wise discrepancy."""
    confidence: float = Field(0.0, ge=0, lt=1)
    """Target rows whose largest probability is below this have no class."""

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags as far as they hold for these settings."""
        everyone, within = self.confidence == 0, self.inter == 0 and self.estimator == "biased"
        return {
            **super().claims(),
            "symmetric": everyone,
            "nonnegative": within,
            "zero_on_identical": within and everyone,
            "scale": 0.0 if everyone else None,
        }

    def _least(self) -> int:
        return rows_for(self.estimator)

    def _one_hot(self, labels: Tensor, logits: Tensor) -> Tensor:
        """Labels (n,) as 0 and 1, (n, c); a label outside 0..c - 1 is no class."""
        import torch

        classes = torch.arange(logits.shape[1], device=logits.device)
        return (labels.unsqueeze(1) == classes).to(logits.dtype)

    def _classes(self, logits: Tensor) -> Tensor:
        """Pseudo-labels as 0 and 1, (m, c); rows of too little confidence have no class."""
        top = logits.detach().softmax(1).amax(1, keepdim=True)
        # NaN has a largest class, too; the difference is 0 or NaN.
        return self._one_hot(logits.detach().argmax(1), logits) * (top >= self.confidence) + (top - top)

    def _value(self, source: Tensor, target: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        import torch

        from dareps.maths.kernels import class_weights, gaussian, mean_bandwidth, pooled_rows, unit_rows
        from dareps.maths.pairs import pair_sum

        rows = pooled_rows(source, target)
        of_source, of_target = (
            found.to(rows.dtype) for found in (self._one_hot(labels, logits), self._classes(logits))
        )
        least = self._least()
        enough = [(found.sum(0) - (least - 1)).clamp(0, 1) for found in (of_source, of_target)]
        exist = (enough[0].unsqueeze(1) * enough[1].unsqueeze(0)).detach()
        same = torch.eye(len(exist), dtype=exist.dtype, device=exist.device) * exist
        intra, inter = (chosen / chosen.sum().clamp_min(1) for chosen in (same, exist - same))
        factors = intra - self.inter * inter
        left, right = class_weights(of_source, of_target, factors, self.estimator == "unbiased")
        return pair_sum([unit_rows(rows, mean_bandwidth(rows))], [gaussian()], left, right)
