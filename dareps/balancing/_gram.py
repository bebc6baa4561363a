"""Weights of tasks from the inner products of their gradients, found on the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function

from dareps.balancing._modules import Balanced, BalancerModule
from dareps.errors import ContractError
from dareps.types import Meeting, Step, Task

Rule = Callable[[Tensor], Tensor]
"""Inner products (k, k) float64 on the host -> weights (k,), which sum to about 1 where a rule fixes no scale."""
_SMALLEST = 1e-30


class GramWeights(BalancerModule):
    """sum_t w_t L_t with weights from the inner products of the tasks' gradients.

    Args:
        tasks: All tasks.
        rule: Makes the weights.
        name: Of the balancer, for errors.
        of: Where gradients are taken.
    """

    def __init__(self, tasks: Sequence[Task], rule: Rule, name: str, of: Meeting) -> None:
        super().__init__(tasks)
        self.rule, self.name, self.reads = rule, name, of

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The sum, and the weights; `gram` (k, k) holds the inner products of the gradients of the k losses.

        Raises:
            ContractError: There is no gram.
        """
        if gram is None:
            raise ContractError(f"balance {self.name}", "it needs the gradients' inner products", fix="Give `gram`.")
        values = torch.stack(list(losses.values()))
        order = step.noise.uniform("balance/order", ())
        weights = _HostWeights.apply(gram.detach(), order, self.rule).to(values.dtype)
        return Balanced((weights * values).sum(), dict(zip(losses, weights.unbind(), strict=True)))


class _HostWeights(Function):
    """A rule as a function without gradient; mapped over copies, they take turns."""

    @staticmethod
    def forward(gram: Tensor, order: Tensor, rule: Rule) -> Tensor:
        return host_weights(gram, order, rule)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Rule], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> None:
        """Weights carry no gradient."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, int | None, None], gram: Tensor, order: Tensor, rule: Rule) -> Any:
        """Weights of a stack."""
        pairs = [_unstacked(each, dim, info.batch_size) for each, dim in zip((gram, order), in_dims[:2], strict=True)]
        return torch.stack([cast(Tensor, _HostWeights.apply(*own, rule)) for own in zip(*pairs, strict=True)]), 0


def _unstacked(values: Tensor, dim: int | None, copies: int) -> Sequence[Tensor]:
    return [values] * copies if dim is None else values.unbind(dim)


def host_weights(gram: Tensor, order: Tensor, rule: Rule) -> Tensor:
    """k times the rule's weights of inner products (k, k), on their device and in their dtype: one copy each way.

    The gradients are first divided by their largest norm, which moves no rule and keeps solvers within their range.
    Where all are 0, or one is no number, every task counts once.

    Args:
        gram: Inner products.
        order: 0-d, from 0 to 1, for rules that draw.
        rule: Makes the weights.
    """
    packed = torch.cat([gram.double().flatten(), order.double().reshape(1)]).cpu()
    host, seed = packed[:-1].view(gram.shape), int(packed[-1] * 2**53)
    largest = host.diagonal().max()
    if not host.isfinite().all() or largest <= _SMALLEST:
        return torch.ones_like(gram[0])
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        weights = rule(host / largest)
    return (len(gram) * weights).to(gram)
