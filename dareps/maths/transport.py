"""Entropic optimal transport between uniform weights, in the log domain with a fixed number of iterations.

OT(C) = min over plans P of <P, C> + eps KL(P | uniform), whose dual has potentials f (n,) and g (m,). All functions
take costs that carry no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from dareps.maths.envelope import with_gradient


def soft_minimum(cost: Tensor, potential: Tensor, epsilon: Tensor) -> Tensor:
    """-eps log mean over j of exp((g_j - C_ij) / eps): the best f (n,) for g (m,) and a cost (n, m)."""
    scaled = (potential - cost).div_(epsilon)
    # In place, for a matrix of costs takes longer to allocate than to read; `logsumexp` makes two more.
    top = scaled.amax(1, keepdim=True)
    sums = scaled.sub_(top).exp_().sum(1).log_().add_(top.squeeze(1))
    return epsilon * (math.log(cost.shape[1]) - sums)


def annealed(largest: Tensor, epsilon: Tensor, iterations: int) -> Iterator[Tensor]:
    """Regularisations per iteration: geometrically from the largest cost to eps in the first half, then eps."""
    ratio = (largest / epsilon).clamp_min(1)
    falling = iterations // 2
    for step in range(iterations):
        yield epsilon * ratio ** max(1 - step / max(falling, 1), 0)


def potentials(cost: Tensor, epsilon: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Dual potentials f (n,) and g (m,) of a cost (n, m), annealed from 0 and treating both sides alike.

    Each iteration goes halfway to the best f and the best g at once.
    """
    f, g = cost.new_zeros(cost.shape[:1]), cost.new_zeros(cost.shape[1:])
    for at in annealed(cost.amax(), epsilon, iterations):
        f, g = (f + soft_minimum(cost, g, at)) / 2, (g + soft_minimum(cost.T, f, at)) / 2
    return f, g


def own_potential(cost: Tensor, epsilon: Tensor, iterations: int) -> Tensor:
    """The potential (n,) of a sample with itself; the error halves with every iteration, so none are annealed."""
    potential = cost.new_zeros(len(cost))
    for _ in range(iterations):
        potential = (potential + soft_minimum(cost, potential, epsilon)) / 2
    return potential


def dual(cost: Tensor, f: Tensor, g: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """A lower bound of OT (0-d) and its gradient in the cost (n, m), a plan.

    Mean of the dual at (best f, g) and at (f, best g), neither of which needs the mass of the plan.
    """
    best_f, best_g = soft_minimum(cost, g, epsilon), soft_minimum(cost.T, f, epsilon)
    value = (best_f.mean() + g.mean() + f.mean() + best_g.mean()) / 2
    rows = ((g - cost) / epsilon).softmax(1) / cost.shape[0]
    columns = ((f.unsqueeze(1) - cost) / epsilon).softmax(0) / cost.shape[1]
    return value, (rows + columns) / 2


def entropic_plan(cost: Tensor, epsilon: Tensor, iterations: int) -> Tensor:
    """The plan (n, m) of a cost (n, m); rows sum to 1 / n, columns to 1 / m up to convergence."""
    _, g = potentials(cost, epsilon, iterations)
    return ((g - cost) / epsilon).softmax(1) / len(cost)


def better(cost: Tensor, epsilon: Tensor, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> list[Tensor]:
    """The pair of potentials with the larger dual."""
    use_first = dual(cost, *first, epsilon)[0] >= dual(cost, *second, epsilon)[0]
    return [torch.where(use_first, *each) for each in zip(first, second, strict=True)]


def regularisation(cost: Tensor, epsilon: float, relative: bool) -> Tensor:
    """eps (0-d): a number, or a fraction of the mean cost."""
    return fraction(cost.mean(), epsilon) if relative else cost.new_full((), epsilon)


def fraction(mean: Tensor, epsilon: float) -> Tensor:
    """epsilon times the mean cost, 0-d; where every cost is 0 the least number, whose roundings vanish."""
    return (mean * epsilon).clamp_min(torch.finfo(mean.dtype).tiny)


def sinkhorn_divergence(costs: Tensor, n: int, epsilon: Tensor, iterations: int) -> Tensor:
    """OT between two samples less the mean of OT within each, 0-d; `costs` (n + m, n + m) are of the pooled rows.

    Never negative when K = exp(-C / eps) is positive definite: at the potentials of each side with itself the dual
    exceeds the mean of the own ones by eps / 2 |u - v|_K^2, and worse potentials are not used.
    """
    fixed = costs.detach()
    within_source, within_target, between = fixed[:n, :n], fixed[n:, n:], fixed[:n, n:]
    own = own_potential(within_source, epsilon, iterations), own_potential(within_target, epsilon, iterations)
    f, g = better(between, epsilon, potentials(between, epsilon, iterations), own)
    value, plan = dual(between, f, g, epsilon)
    slope = torch.zeros_like(fixed)
    slope[:n, n:] = plan
    for rows, potential in ((slice(None, n), own[0]), (slice(n, None), own[1])):
        own_value, own_plan = dual(fixed[rows, rows], potential, potential, epsilon)
        value = value - own_value / 2
        slope[rows, rows] = -own_plan / 2
    return with_gradient(value, costs, slope)
