"""Joint distribution optimal transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import LabelledPair
from dareps.plugin import Tune

if TYPE_CHECKING:
    from torch import Tensor


class JointOT(LabelledPair):
    """Joint distribution optimal transport (DeepJDOT): transport of features and labels together.

    sum over i, j of plan_ij C_ij, C_ij = alpha |x_i - y_j|^2 + lambda_t CE(label of x_i, logits of y_j), with the plan
    that minimises it, not differentiated. The task loss is added by the method, not here.

    * sinkhorn: entropic plan on the device, eps relative to the mean cost, whose rows sum to 1 / n exactly.
    * exact: an optimal plan, solved on the host by the POT library (`pip install 'dareps[ot]'`), which rules out step
      capture.

    source (n, d), target (m, d), source labels (n,), target logits (m, c) -> (). Damodaran et al., ECCV 2018, eq. 6
    to 8, with alpha and lambda_t as in section 4.1; the authors' code finds its plan with |onehot - softmax|^2 in place
    of the cross-entropy.
    """

    nonnegative: ClassVar[bool] = True
    duplication: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    alpha: Annotated[float, Tune(0.1, 10.0, log=True, relative=True)] = Field(0.001, gt=0)
    """Factor on squared distances of features."""
    label_weight: Annotated[float, Tune(0.1, 10.0, log=True, relative=True)] = Field(0.0001, ge=0)
    """lambda_t, the factor on cross-entropies."""
    solver: Literal["sinkhorn", "exact"] = "sinkhorn"
    """How the plan is found."""
    epsilon: Annotated[float, Tune(0.01, 1.0, log=True)] = Field(0.05, gt=0)
    """Strength of the entropic regularisation of sinkhorn, in units of the mean cost."""
    iterations: int = Field(50, ge=1)
    """How often sinkhorn updates its potentials."""

    @property
    def host(self) -> bool:  # type: ignore[override]
        """Whether these settings compute on the host."""
        return self.solver == "exact"

    def _value(self, source: Tensor, target: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        import torch

        from dareps.maths.kernels import pooled_rows, squared_distances

        n = len(source)
        distances = squared_distances(pooled_rows(source, target))[:n, n:]
        # A comparison in place of indexing: its gradient is a matrix product, the same on every run.
        named = labels.unsqueeze(1) == torch.arange(logits.shape[1], device=labels.device)
        cost = self.alpha * distances - self.label_weight * (named.to(logits.dtype) @ logits.log_softmax(1).T)
        return (self._plan(cost.detach()) * cost).sum()

    def _plan(self, cost: Tensor) -> Tensor:
        if self.solver == "exact":
            from dareps.maths.exact_transport import exact_plan

            return exact_plan(cost)
        from dareps.maths.transport import entropic_plan, regularisation

        return entropic_plan(cost, regularisation(cost, self.epsilon, relative=True), self.iterations)
