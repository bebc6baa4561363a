"""Joint distribution optimal transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_beside, check_labels, check_rows, check_samples, present

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import View


class JointOT(Alignment):
    """Joint distribution optimal transport (DeepJDOT): transport of features and labels together.

    sum over i, j of plan_ij C_ij, C_ij = alpha |x_i - y_j|^2 + lambda_t CE(label of x_i, logits of y_j), with the plan
    that minimises it, not differentiated. The task loss is added by the method, not here.

    * sinkhorn: entropic plan on the device, eps relative to the mean cost, whose rows sum to 1 / n exactly.
    * exact: an optimal plan, solved on the host, which rules out step capture: an assignment for n = m, else a linear
      program.

    source (n, d), target (m, d), source labels (n,), target logits (m, c) -> (). Damodaran et al., ECCV 2018, eq. 6
    to 8, with alpha and lambda_t as in section 4.1; the authors' code finds its plan with |onehot - softmax|^2 in place
    of the cross-entropy.
    """

    reads: ClassVar[Literal["shared", "logits", "both"]] = "both"
    nonnegative: ClassVar[bool] = True

    alpha: float = Field(0.001, gt=0)
    """Factor on squared distances of features."""
    label_weight: float = Field(0.0001, ge=0)
    """lambda_t, the factor on cross-entropies."""
    solver: Literal["sinkhorn", "exact"] = "sinkhorn"
    """How the plan is found."""
    epsilon: float = Field(0.05, gt=0)
    """Strength of the entropic regularisation of sinkhorn, in units of the mean cost."""
    iterations: int = Field(50, ge=1)
    """How often sinkhorn updates its potentials."""

    @property
    def host(self) -> bool:  # type: ignore[override]
        """Whether these settings compute on the host."""
        return self.solver == "exact"

    def between(self, source: View, target: View) -> Tensor:
        """The loss between a labelled source stream and a target stream, 0-d."""
        labels = present(self.name, "labels", source.labels)
        return self(source.shared, target.shared, labels, present(self.name, "logits", target.logits))

    def __call__(  # type: ignore[override]
        self, source: Tensor, target: Tensor, source_labels: Tensor, target_logits: Tensor
    ) -> Tensor:
        """The cost of source (n, d) with labels (n,) and target (m, d) with logits (m, c), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        check_rows(self.name, "target_logits", target_logits)
        check_beside(self.name, "target_logits", target_logits, target)
        check_labels(self.name, "source_labels", source_labels, source)
        return widened(self._transport, source, target, target_logits, source_labels)

    def _transport(self, source: Tensor, target: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
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
