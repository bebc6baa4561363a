"""Distance of means."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dareps.alignment._base import Distance
from dareps.alignment._checks import check_samples

if TYPE_CHECKING:
    from torch import Tensor


class MeanDifference(Distance):
    """Squared distance between the means of source and target.

    |mean x - mean y|^2, which is the squared maximum mean discrepancy of the linear kernel.

    source (n, d), target (m, d) -> (). Tzeng et al., Deep Domain Confusion, arXiv 2014, eq. 1, squared.
    """

    gradient: ClassVar[bool] = True
    scale: ClassVar[float | None] = 2.0

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The squared distance of the means of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        return widened(self._distance, source, target)

    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.kernels import pooled_rows

        rows, n = pooled_rows(source, target), len(source)
        return (rows[:n].mean(0) - rows[n:].mean(0)).square().sum()
