"""Sinkhorn divergence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dareps.alignment._base import Distance
from dareps.alignment._checks import check_samples
from dareps.plugin import Tune

if TYPE_CHECKING:
    from torch import Tensor


class SinkhornDivergence(Distance):
    """Sinkhorn divergence: debiased entropic optimal transport between source and target.

    OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 with OT = min over plans of <plan, |x_i - y_j|^2> + eps KL(plan | uniform).
    It lies between |mean x - mean y|^2 (eps to infinity) and the squared 2-Wasserstein distance (eps to 0).

    Computed from the dual in the log domain by a set number of iterations, of which the first half lowers eps
    geometrically from the largest cost. The value is a lower bound of the divergence that is never negative: potentials
    that have not converged give way to those of each side with itself where these are better. The gradient is that of
    the plans (envelope theorem); neither potentials nor a relative eps are differentiated, and only first derivatives
    are given. More than 4096 pooled rows are taken in tiles with memory linear in their number.

    source (n, d), target (m, d) -> (). Genevay et al., AISTATS 2018, eq. 5; Feydy et al., AISTATS 2019, eq. 3 and
    theorem 1.
    """

    scale: ClassVar[float | None] = 2.0

    epsilon: Annotated[float, Tune(0.01, 1.0, log=True)] = Field(0.05, gt=0)
    """eps, the strength of the entropic regularisation."""
    relative: bool = True
    """Whether eps is in units of the mean of |x_i - y_j|^2 over the batch, or a number."""
    iterations: int = Field(50, ge=20)
    """How often the potentials are updated."""

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags; an absolute eps sets a scale."""
        return {**super().claims(), "scale": 2.0 if self.relative else None}

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The divergence of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        return widened(self._divergence, source, target)

    def _divergence(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.kernels import pooled_rows, squared_distances
        from dareps.maths.tiled_transport import WHOLE, tiled_sinkhorn
        from dareps.maths.transport import regularisation, sinkhorn_divergence

        if len(source) + len(target) > WHOLE:
            return tiled_sinkhorn(source, target, self.epsilon, self.relative, self.iterations)
        costs, n = squared_distances(pooled_rows(source, target)), len(source)
        epsilon = regularisation(costs.detach()[:n, n:], self.epsilon, self.relative)
        return sinkhorn_divergence(costs, n, epsilon, self.iterations)
