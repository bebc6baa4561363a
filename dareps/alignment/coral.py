"""Correlation alignment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples

if TYPE_CHECKING:
    from torch import Tensor


class CORAL(Alignment):
    """Squared distance between the covariances of source and target.

    Covariances C are over n - 1; two rows a side at least.

    * frobenius: |C_s - C_t|_F^2 / (4 d^2). When d exceeds the number of rows the same number comes from n x n matrices.
    * log_euclidean: |log(C_s + r I) - log(C_t + r I)|_F^2 / (4 d^2) with matrix logarithms and r = ridge times the mean
      variance of a feature over both sides, so that scaling all features changes nothing. Its eigenvalues are found
      by a routine that waits for the device, which rules out step capture, and only first derivatives are given.

    source (n, d), target (m, d) -> (). Sun & Saenko, ECCV workshops 2016 (Deep CORAL), eq. 1 to 3; logarithms: Huang &
    Van Gool, CVPR 2015, and Morerio et al., ICLR 2018.
    """

    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    translation: ClassVar[bool] = True
    rotation: ClassVar[bool] = True
    gradient: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e9
    scale: ClassVar[float | None] = 4.0

    metric: Literal["frobenius", "log_euclidean"] = "frobenius"
    """Distance of the covariances: of the matrices or of their logarithms."""
    ridge: float = Field(1e-3, gt=0)
    """What log_euclidean adds to the covariances' diagonal, in units of the mean variance."""

    @property
    def host(self) -> bool:  # type: ignore[override]
        """Whether these settings wait for the device in a step."""
        return self.metric == "log_euclidean"

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags, with the degree of this metric."""
        return {**super().claims(), "scale": 4.0 if self.metric == "frobenius" else 0.0}

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The distance of the covariances of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target, least=2)
        return widened(self._distance, source, target) / (4 * source.shape[1] ** 2)

    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.covariances import log_euclidean_distance
        from dareps.maths.moments import covariance_distance

        if self.metric == "log_euclidean":
            return log_euclidean_distance(source, target, self.ridge)
        return covariance_distance(source, target)
