"""Central moment discrepancy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples
from dareps.types import Interval

if TYPE_CHECKING:
    from torch import Tensor


class CMD(Alignment):
    """Central moment discrepancy: distances of means and of central moments up to order K.

    |E X - E Y| / |b - a| + sum over k = 2..K of |c_k(X) - c_k(Y)| / |b - a|^k, with c_k the mean of (x - E x)^k in each
    coordinate (over n), Euclidean norms that are not squared, and [a, b] = [low, high] the support of the features:
    give it bounded features. Where moments match, their norm has gradient 0.

    source (n, d), target (m, d) -> (). Zellinger et al., ICLR 2017, definition 2; Information Sciences 2019 for the
    factors.
    """

    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    translation: ClassVar[bool] = True
    duplication: ClassVar[bool] = True
    gradient: ClassVar[bool] = True
    domain: ClassVar[Interval] = Interval(0.0, 1.0)

    moments: int = Field(5, ge=1)
    """K, the highest order that is compared."""
    low: float = 0.0
    """Lower end of the features' support."""
    high: float = 1.0
    """Upper end of the features' support."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """A support needs a width."""
        if self.high <= self.low:
            raise ValueError(f"high must exceed low = {self.low}, and high = {self.high} does not")
        return self

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The discrepancy of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        return widened(self._discrepancy, source, target)

    def _discrepancy(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.moments import moment_distance

        return moment_distance(source, target, self.moments, self.high - self.low)
