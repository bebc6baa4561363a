"""Maximum mean discrepancy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples, rows_for
from dareps.types import Shapes

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.alignment._modules import AlignmentModule
    from dareps.maths.kernels import Kernel


class MMD(Alignment):
    """Multi-kernel maximum mean discrepancy between source and target.

    With D = |x - y|^2 and b the mean (or lower median) of |z_i - z_j|^2 over the pairs i != j of the pooled rows, never
    differentiated through, or a number, the kernel k(x, y) is one of

    * gaussian: sum over i = -2..2 of exp(-D / (2^i b));
    * laplace: sum over i = -2..2 of exp(-sqrt(D / b) / 2^i);
    * rational_quadratic: sum over a in 0.2, 0.5, 1, 2, 5 of (1 + D / (2 a b))^-a;
    * linear: x'y, with no bandwidth: the biased discrepancy is the squared distance of the means.

    With b = 0 value and gradient are 0. The estimators are

    * biased: mean k(x, x') + mean k(y, y') - 2 mean k(x, y), all n^2 and m^2 terms; >= 0.
    * unbiased: the same without the pairs of a row with itself; can be negative, needs two rows a side.
    * linear: the mean over disjoint pairs of rows of k(x, x') + k(y, y') - k(x, y') - k(x', y), O(n); it uses the
      first 2 floor(min(n, m) / 2) rows of each side and, unlike all others, depends on the order of rows.

    More than 1024 pooled rows are taken in tiles with memory linear in their number, but for the median, which needs
    all distances at once, and can then be differentiated once only.

    source (n, d), target (m, d) -> (). Gretton et al., JMLR 2012, eq. 5 (biased), eq. 3 (unbiased) and lemma 14
    (linear); the multi-kernel in deep networks: Long et al., ICML 2015 (DAN); the mixture of rational quadratic
    kernels: Binkowski et al., ICLR 2018.
    """

    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    translation: ClassVar[bool] = True
    rotation: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18
    scale: ClassVar[float | None] = 0.0

    estimator: Literal["biased", "unbiased", "linear"] = "biased"
    """Which estimate of the squared discrepancy."""
    kernel: Literal["gaussian", "laplace", "rational_quadratic", "linear"] = "gaussian"
    """k, a family of kernels."""
    bandwidth: Literal["mean", "median", "running"] | Annotated[float, Field(gt=0)] = "mean"
    """b: a statistic of the batch's squared distances, the running average of their mean, or a number."""
    memory: float = Field(0.9, ge=0, lt=1)
    """What the running average keeps of itself at each step."""

    @model_validator(mode="after")
    def _no_bandwidth_without_use(self) -> Self:
        """A setting that changes nothing misleads."""
        if self.kernel == "linear" and self.bandwidth != "mean":
            raise ValueError(f"the linear kernel has no bandwidth, and bandwidth = {self.bandwidth} was set")
        return self

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags as far as they hold for these settings."""
        fixed = self.kernel == "linear" or not isinstance(self.bandwidth, str)
        degree = 0.0 if self.bandwidth in ("mean", "median") else None
        return {
            **super().claims(),
            "nonnegative": self.estimator == "biased",
            "zero_on_identical": self.estimator == "biased",
            "scale": 2.0 if self.kernel == "linear" else degree,
            # Rows said twice are pairs at distance 0, which a statistic of all pairs takes in.
            "duplication": fixed and self.estimator == "biased",
            "unbiased": self.estimator != "biased",
            "gradient": fixed,
        }

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The squared discrepancy of source (n, d) and target (m, d), 0-d."""
        if self.bandwidth == "running":
            return super().__call__(source, target)
        return self._discrepancy(source, target)

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The mean over pairs of domains; a running bandwidth is a buffer of the module."""
        if self.bandwidth != "running":
            return super().build(shapes)
        from dareps.alignment._running import RunningBandwidth

        return RunningBandwidth(self, self._discrepancy, self.memory)

    def _discrepancy(self, source: Tensor, target: Tensor, *bandwidth: Tensor) -> Tensor:
        from dareps.maths.precision import widened

        check_samples(self.name, source, target, least=rows_for(self.estimator))
        return widened(self._estimate, source, target, *bandwidth)

    def _estimate(self, source: Tensor, target: Tensor, bandwidth: Tensor | None = None) -> Tensor:
        from dareps.maths.kernels import MULTI_KERNELS, pooled_rows
        from dareps.maths.pairs import discrepancy

        if self.kernel == "linear":
            return self._of_means(source, target)
        kernel = MULTI_KERNELS[self.kernel]
        if self.estimator == "linear":
            return self._paired(pooled_rows(source, target), len(source), kernel, bandwidth)
        b = self._statistic if bandwidth is None else bandwidth
        return discrepancy(source, target, kernel, b, unbiased=self.estimator == "unbiased")

    def _paired(self, rows: Tensor, n: int, kernel: Kernel, bandwidth: Tensor | None) -> Tensor:
        import torch

        (x1, x2), (y1, y2) = _couples(rows[:n], rows[n:])
        distances = torch.stack((x1 - x2, y1 - y2, x1 - y2, x2 - y1)).square().sum(-1)
        terms = kernel.value(distances, self._statistic(rows) if bandwidth is None else bandwidth).mean(1)
        return terms[0] + terms[1] - terms[2] - terms[3]

    def _of_means(self, source: Tensor, target: Tensor) -> Tensor:
        """The linear kernel's estimates, which need no pairs."""
        from dareps.maths.kernels import pooled_rows

        rows, n = pooled_rows(source, target), len(source)
        source, target = rows[:n], rows[n:]
        if self.estimator == "linear":
            (x1, x2), (y1, y2) = _couples(source, target)
            return ((x1 - y1) * (x2 - y2)).sum(1).mean()
        biased = (source.mean(0) - target.mean(0)).square().sum()
        if self.estimator == "biased":
            return biased
        # Without its diagonal, the mean of x'x' over a side is |mean|^2 less the variance of the mean.
        return biased - source.var(0).sum() / len(source) - target.var(0).sum() / len(target)

    def _statistic(self, rows: Tensor) -> Tensor | float:
        """b of centred pooled rows (n + m, d)."""
        from dareps.maths.kernels import mean_bandwidth, median_bandwidth, squared_distances

        if self.bandwidth == "median":
            return median_bandwidth(squared_distances(rows.detach()))
        return mean_bandwidth(rows) if isinstance(self.bandwidth, str) else self.bandwidth


def _couples(source: Tensor, target: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The first and second rows of each side's disjoint pairs."""
    used = min(len(source), len(target)) // 2 * 2
    return (source[:used:2], source[1:used:2]), (target[:used:2], target[1:used:2])
