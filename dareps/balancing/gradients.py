"""Balancers that look at how the tasks' gradients agree, from the torchjd library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import Field

from dareps.balancing._base import GradientBalancer

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.balancing._modules import BalancerModule
    from dareps.types import Task

    Weighting = Callable[[Tensor], Tensor]


class _FromGradients(GradientBalancer, abstract=True):
    """Weights from the k x k inner products of the tasks' gradients.

    The products go to the host, weights come back, and the update is that of sum_t w_t L_t. Weights are multiplied by
    the number of tasks where the paper takes a mean, so that the objective is as large as with `equal`.
    """

    host: ClassVar[bool] = True

    def build(self, tasks: Sequence[Task]) -> BalancerModule:
        """The weights as a module.

        Raises:
            ConfigError: torchjd is not installed.
        """
        from dareps.balancing._gram import GramWeights
        from dareps.balancing._rules import solved

        name, weighting = type(self).name, self.weighting()
        return GramWeights(tasks, lambda gram: self.scaled(solved(name, weighting, gram)), name, self.of)

    def weighting(self) -> Weighting:
        """Inner products (k, k) -> weights (k,).

        Raises:
            ConfigError: It comes from torchjd, which is not installed.
        """
        raise NotImplementedError

    @property
    def library(self) -> ModuleType:
        """`torchjd.aggregation`."""
        from dareps.balancing._rules import library

        return library(type(self).name)

    def scaled(self, weights: Tensor) -> Tensor:
        """Weights whose sum is about 1."""
        return weights


class UPGrad(_FromGradients):
    """Each task's gradient is projected onto those that hurt no other task, and the projections are averaged.

    No task's loss rises to first order. Quinton & Rey, arXiv 2406.16232 (2024), section 3.1.
    """

    name = "upgrad"

    def weighting(self) -> Weighting:
        """UPGrad's."""
        from dareps.balancing._rules import projector

        return cast("Weighting", self.library.UPGradWeighting(projector=projector()))


class MGDA(_FromGradients):
    """The shortest convex combination of the tasks' gradients: min over w on the simplex of |sum_t w_t g_t|^2.

    Desideri, C. R. Math. 350 (2012); Sener & Koltun, NeurIPS 2018, eq. 3, solved by Frank and Wolfe's method.
    """

    name = "mgda"
    iterations: int = Field(100, ge=1)
    """Most iterations."""

    def weighting(self) -> Weighting:
        """MGDA's."""
        return cast("Weighting", self.library.MGDAWeighting(max_iters=self.iterations))


class PCGrad(_FromGradients):
    """Each task's gradient loses, one after the other in random order, its conflict with every other task's.

    Yu et al., NeurIPS 2020, algorithm 1; the order is keyed by seed and step.
    """

    name = "pcgrad"

    def weighting(self) -> Weighting:
        """All tasks' projections side by side, which the library makes one by one."""
        from dareps.balancing._rules import in_turn

        return in_turn

    def scaled(self, weights: Tensor) -> Tensor:
        """The paper sums, so that tasks without conflict have weight 1."""
        return weights / len(weights)


class CAGrad(_FromGradients):
    """The direction within a ball around the mean gradient that helps the worst-off task most.

    Liu et al., NeurIPS 2021, eq. 3.
    """

    name = "cagrad"
    c: float = Field(0.4, ge=0, lt=1)
    """Radius of the ball, in norms of the mean gradient; 0 leaves the mean."""

    def weighting(self) -> Weighting:
        """CAGrad's."""
        return cast("Weighting", self.library.CAGradWeighting(c=self.c))


class IMTLG(_FromGradients):
    """Weights that sum to 1 with which the update has the same projection on every task's gradient direction.

    Liu et al., ICLR 2021, eq. 4. Weights may be negative.
    """

    name = "imtl_g"

    def weighting(self) -> Weighting:
        """IMTL-G's."""
        return cast("Weighting", self.library.IMTLGWeighting())


class AlignedMTL(_FromGradients):
    """The gradients' principal components are scaled to the least of them, so that they are orthogonal and alike.

    Senushkin et al., CVPR 2023, eq. 13.
    """

    name = "aligned_mtl"

    def weighting(self) -> Weighting:
        """Aligned-MTL's."""
        return cast("Weighting", self.library.AlignedMTLWeighting())


class NashMTL(_FromGradients):
    """The bargaining solution: weights w > 0 with G w = 1 / w for the inner products G of the gradients.

    There no task's gain can grow by a larger share than those of the others shrink together. The weights are those of
    alpha-fairness at alpha = 1, which torchjd solves for a given G without state; its Nash-MTL instead iterates on the
    gradients themselves, warm, to a tolerance. The paper leaves the scale to G w = 1 / w, so that steps shrink as
    gradients grow; here weights are scaled to sum to the number of tasks.

    Navon et al., ICML 2022, eq. 2; Ban & Ji, ICML 2024, eq. 4.
    """

    name = "nash_mtl"

    def weighting(self) -> Weighting:
        """FairGrad's at alpha = 1."""
        return cast("Weighting", self.library.FairGradWeighting(alpha=1.0))

    def scaled(self, weights: Tensor) -> Tensor:
        """Weights that sum to 1."""
        return weights / weights.sum()
