"""Batch nuclear-norm maximisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dareps.alignment._base import TargetTerm
from dareps.alignment._checks import check_rows

if TYPE_CHECKING:
    from torch import Tensor


class BatchNuclearNorm(TargetTerm):
    """Batch nuclear-norm maximisation (BNM): target predictions that are certain and of many classes.

    -|P|_* / m with P = softmax(logits) (m, c) and |P|_* the sum of its singular values, for which
    sqrt(m / c) <= |P|_* <= sqrt(m min(m, c)): the lower end when every prediction is uniform, the upper one when all
    are certain and classes balanced. The gradient with respect to P is -U V' / m of P = U S V', at repeated singular
    values too; directions whose singular value is 0 get none.

    logits (m, c) -> (). Cui et al., CVPR 2020, section 3.
    """

    name: ClassVar[str] = "bnm"
    reads: ClassVar[Literal["shared", "logits", "both"]] = "logits"
    gradient: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    def __call__(self, target: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of the predictions from target logits (m, c), 0-d."""
        from dareps.maths.precision import widened

        check_rows(self.name, "target", target)
        return widened(self._mean_norm, target)

    def _mean_norm(self, logits: Tensor) -> Tensor:
        from dareps.maths.spectral import nuclear_norm

        return -nuclear_norm(logits.softmax(1)) / len(logits)
