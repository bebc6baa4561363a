"""Energy distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dareps.alignment._base import Distance
from dareps.alignment._checks import check_samples

if TYPE_CHECKING:
    from torch import Tensor


class EnergyDistance(Distance):
    """Energy distance: how much further apart rows of two samples are than rows of one.

    2 mean |x - y| - mean |x - x'| - mean |y - y'| over all nm, n^2 and m^2 pairs, >= 0; the squared maximum mean
    discrepancy of the kernel -|x - y|, and 2 int (F - G)^2 for d = 1. Rows that coincide, up to the rounding error of
    their squared distance, are at distance 0 with gradient 0. Memory is linear in the rows above about 512 a side.

    source (n, d), target (m, d) -> (). Szekely & Rizzo, J. Stat. Plan. Inference 143 (2013), eq. 1.2 and 6.1.
    """

    gradient: ClassVar[bool] = True
    scale: ClassVar[float | None] = 1.0

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The energy distance of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        return widened(self._distance, source, target)

    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.kernels import DISTANCE
        from dareps.maths.pairs import discrepancy

        return discrepancy(source, target, DISTANCE, 1.0)
