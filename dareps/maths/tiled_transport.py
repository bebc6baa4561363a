"""The Sinkhorn divergence of many rows: costs are made tile by tile in every iteration and never kept.

The same iterations as `maths.transport` has on whole matrices, in memory linear in the rows. At the end the plans are
made once more, tile by tile, to move the rows: the gradient of <P, C> by x_i is 2 sum_j P_ij (x_i - y_j).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from dareps.maths.eager import Eager
from dareps.maths.kernels import centre_, squared_norms
from dareps.maths.transport import annealed, fraction

WHOLE: Final = 4096
"""Up to how many pooled rows whole matrices of costs are made: they fit anywhere and are then made only once."""
_TILE = 1 << 19
_REFUSAL = ("a Sinkhorn divergence in tiles", "Use a loss whose second derivatives exist, MMD for instance.")
Pair = tuple[Tensor, Tensor]


def tiled_sinkhorn(
    source: Tensor, target: Tensor, epsilon: float, relative: bool, iterations: int, tile: int = _TILE
) -> Tensor:
    """`transport.sinkhorn_divergence` of squared distances between source (n, d) and target (m, d), 0-d.

    Args:
        source: Rows.
        target: Rows.
        epsilon: eps, in units of the mean cost where `relative`.
        relative: What eps is in units of.
        iterations: How often the potentials are updated.
        tile: Entries of a tile of costs.

    Raises:
        ContractError: When it is differentiated twice.
    """

    def run(wanted: bool, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        rows, n = centre_(torch.cat(tensors)), len(tensors[0])
        return _divergence(rows[:n], rows[n:], wanted, tile, _Iterated(epsilon, relative, iterations))

    return Eager(run, refusal=_REFUSAL)(source, target)


class _Iterated:
    """How often to iterate, and at which regularisation."""

    def __init__(self, epsilon: float, relative: bool, iterations: int) -> None:
        self.epsilon, self.relative, self.iterations = epsilon, relative, iterations

    def regularisation(self, costs: Costs) -> Tensor:
        """eps (0-d)."""
        return fraction(costs.mean(), self.epsilon) if self.relative else costs.x.new_full((), self.epsilon)


class Costs:
    """Squared distances between x (n, d) and y (m, d), never all at once.

    Args:
        x: Rows, centred together with those of y.
        y: Rows.
        tile: Entries of a tile.
    """

    def __init__(self, x: Tensor, y: Tensor, tile: int) -> None:
        self.x, self.y = x, y
        self._norms = squared_norms(x), squared_norms(y)
        self._step = max(1, tile // len(y))

    def tiles(self) -> Iterator[tuple[slice, Tensor]]:
        """Blocks of rows, and their costs to every y, which may be overwritten."""
        for start in range(0, len(self.x), self._step):
            at = slice(start, min(start + self._step, len(self.x)))
            gram = torch.addmm(self._norms[1].unsqueeze(0), self.x[at], self.y.T, alpha=-2)
            yield at, gram.add_(self._norms[0][at].unsqueeze(1)).clamp_min_(0)

    def mean(self) -> Tensor:
        """The mean cost, from moments."""
        moments = sum(norms.mean() for norms in self._norms) - 2 * (self.x.mean(0) @ self.y.mean(0))
        assert isinstance(moments, Tensor)
        return moments.clamp_min(0)

    def largest(self) -> Tensor:
        """The largest cost."""
        return torch.stack([tile.amax() for _, tile in self.tiles()]).amax()

    def best_rows(self, g: Tensor, epsilon: Tensor) -> Tensor:
        """The best f (n,) for g (m,)."""
        sums = [tile.sub_(g).div_(-epsilon).logsumexp(1) for _, tile in self.tiles()]
        return epsilon * (math.log(len(self.y)) - torch.cat(sums))

    def best(self, f: Tensor, g: Tensor, epsilon: Tensor) -> Pair:
        """The best f for g, and the best g for f."""
        rows, columns = [], self.y.new_full((len(self.y),), -math.inf)
        for at, tile in self.tiles():
            tile.div_(-epsilon)
            rows.append((tile + g / epsilon).logsumexp(1))
            columns = torch.logaddexp(columns, tile.add_((f[at] / epsilon).unsqueeze(1)).logsumexp(0))
        best_f = epsilon * (math.log(len(self.y)) - torch.cat(rows))
        return best_f, epsilon * (math.log(len(self.x)) - columns)

    def moves(self, pairs: tuple[Pair, Pair], epsilon: Tensor) -> Pair:
        """Gradients of <P, C> by x and y, P the mean of the plans exp((f + g - C) / eps) / (n m) of two pairs."""
        by_x, by_y = torch.zeros_like(self.x), torch.zeros_like(self.y)
        mass_y = self.y.new_zeros(len(self.y), 1)
        for at, tile in self.tiles():
            tile.div_(-epsilon)
            first, second = (tile + ((f[at] / epsilon).unsqueeze(1) + g / epsilon) for f, g in pairs)
            plan = first.exp_().add_(second.exp_()).div_(len(self.x) * len(self.y))  # twice the mean, as is d C
            by_x[at] = self.x[at] * plan.sum(1, keepdim=True) - plan @ self.y
            by_y.addmm_(plan.T, self.x[at], alpha=-1)
            mass_y += plan.sum(0).unsqueeze(1)
        return by_x, by_y.addcmul_(self.y, mass_y)


def _divergence(x: Tensor, y: Tensor, wanted: bool, tile: int, how: _Iterated) -> tuple[Tensor, ...]:
    """The value (0-d) and its gradients by x and y, empty where they are not wanted."""
    between = Costs(x, y, tile)
    epsilon = how.regularisation(between)
    within = Costs(x, x, tile), Costs(y, y, tile)
    own = [_own(costs, epsilon, how.iterations) for costs in within]
    f, g, best = _better(between, epsilon, _potentials(between, epsilon, how.iterations), (own[0], own[1]))
    value = _dual(f, g, best)
    found = between.moves(((best[0], g), (f, best[1])), epsilon) if wanted else (x.new_zeros(0), y.new_zeros(0))
    for side, (costs, potential) in enumerate(zip(within, own, strict=True)):
        best_own = costs.best_rows(potential, epsilon)
        value = value - (best_own.mean() + potential.mean()) / 2
        if wanted:
            pair = (best_own, potential), (potential, best_own)
            for part in costs.moves(pair, epsilon):
                found[side].sub_(part, alpha=0.5)
    return value, *found


def _own(costs: Costs, epsilon: Tensor, iterations: int) -> Tensor:
    potential = costs.x.new_zeros(len(costs.x))
    for _ in range(iterations):
        potential = (potential + costs.best_rows(potential, epsilon)) / 2
    return potential


def _potentials(costs: Costs, epsilon: Tensor, iterations: int) -> Pair:
    f, g = costs.x.new_zeros(len(costs.x)), costs.y.new_zeros(len(costs.y))
    for at in annealed(costs.largest(), epsilon, iterations):
        best_f, best_g = costs.best(f, g, at)
        f, g = (f + best_f) / 2, (g + best_g) / 2
    return f, g


def _better(costs: Costs, epsilon: Tensor, first: Pair, second: Pair) -> tuple[Tensor, Tensor, Pair]:
    """The pair of potentials with the larger dual, and what is best for each of the two."""
    of_first, of_second = costs.best(*first, epsilon), costs.best(*second, epsilon)
    use_first = _dual(*first, of_first) >= _dual(*second, of_second)
    pairs = zip((*first, *of_first), (*second, *of_second), strict=True)
    f, g, best_f, best_g = (torch.where(use_first, *each) for each in pairs)
    return f, g, (best_f, best_g)


def _dual(f: Tensor, g: Tensor, best: Pair) -> Tensor:
    """The mean of the dual at (best f, g) and at (f, best g)."""
    return (best[0].mean() + g.mean() + f.mean() + best[1].mean()) / 2
