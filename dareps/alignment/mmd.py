"""Maximum mean discrepancy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples

if TYPE_CHECKING:
    from torch import Tensor


class MMD(Alignment):
    """Multi-kernel maximum mean discrepancy between source and target.

    k(x, y) = sum over i = -2..2 of exp(-|x - y|^2 / (2^i b)), with b the mean (or lower median) of |z_i - z_j|^2 over
    the pairs i != j of the pooled rows, never differentiated through, or a number. With b = 0 value and gradient are 0.

    * biased: mean k(x, x') + mean k(y, y') - 2 mean k(x, y), all n^2 and m^2 terms; >= 0.
    * unbiased: the same without the pairs of a row with itself; can be negative, needs two rows a side.
    * linear: the mean over disjoint pairs of rows of k(x, x') + k(y, y') - k(x, y') - k(x', y), O(n); it uses the
      first 2 floor(min(n, m) / 2) rows of each side and, unlike all others, depends on the order of rows.

    source (n, d), target (m, d) -> (). Gretton et al., JMLR 2012, eq. 5 (biased), eq. 3 (unbiased) and lemma 14
    (linear); the multi-kernel in deep networks: Long et al., ICML 2015 (DAN).
    """

    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    translation: ClassVar[bool] = True
    rotation: ClassVar[bool] = True
    scale: ClassVar[float | None] = 0.0

    estimator: Literal["biased", "unbiased", "linear"] = "biased"
    """Which estimate of the squared discrepancy."""
    bandwidth: Literal["mean", "median"] | Annotated[float, Field(gt=0)] = "mean"
    """b: a statistic of the batch's squared distances, or a number."""

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags as far as they hold for these settings."""
        return {
            **super().claims(),
            "nonnegative": self.estimator == "biased",
            "zero_on_identical": self.estimator == "biased",
            "scale": 0.0 if isinstance(self.bandwidth, str) else None,
        }

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The squared discrepancy of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target, least=1 if self.estimator == "biased" else 2)
        return widened(self._paired if self.estimator == "linear" else self._all_pairs, source, target)

    def _all_pairs(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.kernels import KERNELS, block_sums, gaussian_sum, pooled_rows, squared_distances

        n, m = len(source), len(target)
        rows = pooled_rows(source, target)
        distances = squared_distances(rows)
        kernel = gaussian_sum(distances, self._bandwidth(rows, distances))
        within_source, within_target, between = block_sums(kernel, n)
        if self.estimator == "biased":
            return within_source / (n * n) + within_target / (m * m) - between * 2 / (n * m)
        off_source = (within_source - KERNELS * n) / (n * (n - 1))
        return off_source + (within_target - KERNELS * m) / (m * (m - 1)) - between * 2 / (n * m)

    def _paired(self, source: Tensor, target: Tensor) -> Tensor:
        import torch

        from dareps.maths.kernels import gaussian_sum, pooled_rows

        rows = pooled_rows(source, target)
        used = min(len(source), len(target)) // 2 * 2
        x, y = rows[:used], rows[len(source) : len(source) + used]
        (x1, x2), (y1, y2) = (x[::2], x[1::2]), (y[::2], y[1::2])
        distances = torch.stack((x1 - x2, y1 - y2, x1 - y2, x2 - y1)).square().sum(-1)
        terms = gaussian_sum(distances, self._bandwidth(rows)).mean(1)
        return terms[0] + terms[1] - terms[2] - terms[3]

    def _bandwidth(self, rows: Tensor, distances: Tensor | None = None) -> Tensor | float:
        from dareps.maths.kernels import mean_bandwidth, median_bandwidth, squared_distances

        if self.bandwidth == "mean":
            return mean_bandwidth(rows)
        if self.bandwidth == "median":
            return median_bandwidth(squared_distances(rows.detach()) if distances is None else distances)
        return self.bandwidth
