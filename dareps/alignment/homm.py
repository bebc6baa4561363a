"""Higher-order moment matching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples

if TYPE_CHECKING:
    from torch import Tensor


class HigherOrderMoments(Alignment):
    """Higher-order moment matching (HoMM): distance of the tensors of all moments of one order.

    |mean x^(p) - mean y^(p)|_F^2 / d^p, with x^(p) the p-fold outer product of a row with itself. Computed from inner
    products, as mean (x.x' / d)^p + mean (y.y' / d)^p - 2 mean (x.y / d)^p: no tensor of d^p entries. The moments are
    raw, as in the paper's equation: p = 1 is `mean_difference` / d. Give it features bounded on both sides of 0.

    source (n, d), target (m, d) -> (). Chen et al., AAAI 2020, eq. 5.
    """

    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    rotation: ClassVar[bool] = True
    duplication: ClassVar[bool] = True
    gradient: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e4
    scale: ClassVar[float | None] = 6.0

    order: int = Field(3, ge=1, le=4)
    """p, the order of the moments."""

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags, with the degree of this order; means alone move with both sides."""
        return {**super().claims(), "scale": 2.0 * self.order, "translation": self.order == 1}

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The distance of the moments of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        return widened(self._distance, source, target)

    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.inner_powers import power_gap

        return power_gap(source, target, self.order)
