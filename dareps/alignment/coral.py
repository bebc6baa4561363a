"""Correlation alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples

if TYPE_CHECKING:
    from torch import Tensor


class CORAL(Alignment):
    """Squared distance between the covariances of source and target.

    |C_s - C_t|_F^2 / (4 d^2) with covariances over n - 1; two rows a side at least. When d exceeds the number of rows
    the same number comes from n x n Gram matrices.

    source (n, d), target (m, d) -> (). Sun & Saenko, ECCV workshops 2016 (Deep CORAL), eq. 1 to 3.
    """

    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    translation: ClassVar[bool] = True
    rotation: ClassVar[bool] = True
    scale: ClassVar[float | None] = 4.0

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The distance of the covariances of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.moments import covariance_distance
        from dareps.maths.precision import widened

        check_samples(self.name, source, target, least=2)
        return widened(covariance_distance, source, target) / (4 * source.shape[1] ** 2)
