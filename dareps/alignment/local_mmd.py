"""Local maximum mean discrepancy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import LabelledPair
from dareps.alignment._checks import rows_for

if TYPE_CHECKING:
    from torch import Tensor


_LEAST = 1e-3
"""Below this share of a side's weight in pairs of different rows, what they say is too noisy to be scaled up."""


class LocalMMD(LabelledPair):
    """Local maximum mean discrepancy (DSAN): MMD of each class, with predictions as the target's labels.

    mean over classes c of |sum_i w_ic phi(x_i) - sum_j v_jc phi(y_j)|^2, with w_ic = [y_i = c] / (rows of class c) from
    source labels and v_jc = p_jc / sum_j p_jc from target predictions p = softmax(logits); weights carry no gradient.
    The mean is over the classes that are present, i.e. the label of a source row and the likeliest class of a target
    row; with none value and gradient are 0. phi is that of the kernel sum over i = -2..2 of exp(-|x - y|^2 / (2^i b)),
    b the mean of |z_i - z_j|^2 over the pairs i != j of the pooled rows, detached, or a number.

    With one class it is the biased MMD; with certain predictions it is the mean of the biased MMD within each class.
    Its bias falls as features draw together, so that a large weight on small batches can collapse them:
    `estimator: unbiased` leaves out the pairs of a row with itself and divides by what weight the others of that side
    have, 1 - sum_i w_ic^2; it can be negative, and a class whose weight sits on one row of a side is not present.

    source (n, d), target (m, d), source labels (n,), target logits (m, c) -> (). Zhu et al., IEEE TNNLS 2021 (DSAN),
    section III (LMMD); the classes present as in the authors' code.
    """

    nonnegative: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    estimator: Literal["biased", "unbiased"] = "biased"
    """Whether pairs of a row with itself count."""
    bandwidth: Literal["mean"] | Annotated[float, Field(gt=0)] = "mean"
    """b: the batch's mean squared distance, or a number."""

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags as far as they hold for these settings."""
        biased = self.estimator == "biased"
        return {**super().claims(), "nonnegative": biased, "duplication": biased and self.bandwidth != "mean"}

    def _least(self) -> int:
        return rows_for(self.estimator)

    def _value(self, source: Tensor, target: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        import torch

        from dareps.maths.kernels import gaussian, mean_bandwidth, pooled_rows, unit_rows
        from dareps.maths.pairs import pair_sum

        rows = pooled_rows(source, target)
        layer = unit_rows(rows, mean_bandwidth(rows) if isinstance(self.bandwidth, str) else self.bandwidth)
        ours, theirs, share = _weights(labels, logits.detach().to(rows.dtype))
        if self.estimator == "biased":
            weights = torch.cat((ours, -theirs))
            return pair_sum([layer], [gaussian()], weights, weights * share)
        return pair_sum([layer], [gaussian()], *_off_diagonal(ours, theirs, share))


def _weights(labels: Tensor, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w (n, c), v (m, c), and each class's share in the mean (c,), 0 for one that is not present."""
    import torch

    classes = torch.arange(logits.shape[1], device=logits.device)
    ours, theirs = ((found.unsqueeze(1) == classes).to(logits.dtype) for found in (labels, logits.argmax(1)))
    counts, soft = ours.sum(0), logits.softmax(1)
    both = (counts * theirs.sum(0)).clamp(max=1)
    # Shares of 0 take out the classes that the floors below make up.
    v = soft / soft.sum(0).clamp_min(torch.finfo(soft.dtype).tiny)
    return ours / counts.clamp_min(1), v, both / both.sum().clamp_min(1)


def _off_diagonal(w: Tensor, v: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """`left` and `right` of `pair_sum`: a column for each class and side, and 0 for pairs of a row with itself."""
    import torch

    spare_w, spare_v = 1 - w.square().sum(0), 1 - v.square().sum(0)
    # A class whose weight sits on one row of a side has no pairs there.
    paired = ((spare_w > _LEAST) & (spare_v > _LEAST)).to(w.dtype) * share
    share = paired / paired.sum().clamp_min(torch.finfo(w.dtype).tiny)
    left = torch.cat((torch.cat((w, torch.zeros_like(w)), 1), torch.cat((torch.zeros_like(v), v), 1)))
    within_w, within_v = share / spare_w.clamp_min(_LEAST), share / spare_v.clamp_min(_LEAST)
    right = torch.cat((torch.cat((w * within_w, -w * share), 1), torch.cat((-v * share, v * within_v), 1)))
    return left, right
