"""Balancers as modules of a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dareps.errors import ContractError
from dareps.types import Meeting, Step, Task

WINDOW = 2
"""Windows of losses that dynamic weights compare."""


@dataclass(frozen=True, slots=True)
class Balanced:
    """What a balancer makes of one step's losses.

    Attributes:
        total: The objective, 0-d.
        weights: What each task's loss was multiplied by, for the log; empty where weights are no news.
    """

    total: Tensor
    weights: Mapping[str, Tensor] = field(default_factory=dict)


class BalancerModule(nn.Module):
    """A built balancer.

    Args:
        tasks: All tasks, in the method's order.

    Attributes:
        reads: By what `forward` needs the inner products of the tasks' gradients; None where it does not.
        looks_again: Whether `follow` wants the task losses after the step.
    """

    reads: Meeting | None = None
    looks_again: bool = False

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.names = tuple(task.name for task in tasks)

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The objective of the losses of some or all tasks, each 0-d; `gram` (k, k) belongs to the k losses."""
        raise NotImplementedError

    def follow(self, losses: Mapping[str, Tensor]) -> None:
        """Update state from the same losses after the step, each 0-d and without gradient."""

    def places(self, losses: Mapping[str, Tensor]) -> list[int]:
        """Where the losses' tasks stand among all tasks.

        Raises:
            ContractError: A task was not there when the balancer was built.
        """
        for name in losses:
            if name not in self.names:
                raise ContractError("balance", f"built for {', '.join(self.names)}", name, "Build it for this task.")
        return [self.names.index(name) for name in losses]


@dataclass(frozen=True, slots=True)
class Norms:
    """A step's losses, and its gradients' norms.

    Attributes:
        values: The losses (T,), in the order in which they came.
        order: The place among all tasks of each.
        losses: The losses (T,) in the order of the tasks, without gradient; `squares` the squared norms likewise.
    """

    values: Tensor
    order: list[int]
    losses: Tensor
    squares: Tensor


class ByNorms(BalancerModule):
    """A balancer that reads the norms of all tasks' gradients.

    Args:
        tasks: All tasks.
        name: The balancer's, for errors.
        of: Where gradients are taken.
    """

    def __init__(self, tasks: Sequence[Task], name: str, of: Meeting) -> None:
        super().__init__(tasks)
        self.name, self.reads = name, of

    def norms_of(self, losses: Mapping[str, Tensor], gram: Tensor | None) -> Norms:
        """Losses and norms of a step with inner products `gram` (T, T).

        Raises:
            ContractError: There is no gram, or a task has no loss in this step.
        """
        if gram is None or len(losses) < len(self.names):
            what = "it needs the losses of all tasks and their gradients' inner products"
            raise ContractError(f"balance {self.name}", what, list(losses), "Give all tasks and `gram`.")
        values, order = torch.stack(list(losses.values())), self.places(losses)
        own = [order.index(place) for place in range(len(order))]
        return Norms(values, order, picked(values.detach(), own), picked(gram.detach().diagonal(), own))


class Called(BalancerModule):
    """A balancer without state.

    Args:
        tasks: All tasks.
        objective: (losses) -> the objective, 0-d.
    """

    def __init__(self, tasks: Sequence[Task], objective: Callable[[Mapping[str, Tensor]], Tensor]) -> None:
        super().__init__(tasks)
        self.objective = objective

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The objective."""
        return Balanced(self.objective(losses))


class Weighted(BalancerModule):
    """sum_t w_t L_t with weights that carry no gradient."""

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The sum, and the weights."""
        values = torch.stack(list(losses.values()))
        weights = self.weights(values.detach(), self.places(losses), step).to(values.dtype)
        return Balanced((weights * values).sum(), dict(zip(losses, weights.unbind(), strict=True)))

    def weights(self, losses: Tensor, places: Sequence[int], step: Step) -> Tensor:
        """Weights (k,) of losses (k,) of the tasks at these places."""
        raise NotImplementedError


class RandomWeights(Weighted):
    """Weights drawn anew in every step."""

    def weights(self, losses: Tensor, places: Sequence[int], step: Step) -> Tensor:
        """k softmax(z) of standard normal z."""
        drawn = step.noise.normal("balance/weights", (len(self.names),))
        return len(places) * picked(drawn, places).softmax(0)


class RateWeights(Weighted):
    """Weights by how fast losses fell from the last but one window of steps to the last.

    Args:
        tasks: All tasks.
        window: Losses of each task in a window.
        temperature: Evens the weights out.
    """

    sums: Tensor
    counts: Tensor
    means: Tensor

    def __init__(self, tasks: Sequence[Task], window: int, temperature: float) -> None:
        super().__init__(tasks)
        self.window, self.temperature = window, temperature
        self.register_buffer("sums", torch.zeros(len(tasks)))
        self.register_buffer("counts", torch.zeros(len(tasks)))
        self.register_buffer("means", torch.zeros(WINDOW, len(tasks)))

    def weights(self, losses: Tensor, places: Sequence[int], step: Step) -> Tensor:
        """k softmax(r / temperature), r the ratios of windows; 1 for tasks without two windows yet."""
        before, last = self.means[0], self.means[1]
        rates = torch.where(before > 0, last / before, 1)
        if self.training:
            self._take(losses, places)
        return len(places) * (picked(rates, places) / self.temperature).softmax(0)

    def _take(self, losses: Tensor, places: Sequence[int]) -> None:
        """Add losses to the running windows; those that are full become the last ones."""
        known = dict(zip(places, losses.unbind(), strict=True))
        none, one = losses.new_zeros(()), losses.new_ones(())
        self.sums.add_(torch.stack([known.get(place, none) for place in range(len(self.names))]))
        self.counts.add_(torch.stack([one if place in known else none for place in range(len(self.names))]))
        full = self.counts >= self.window
        mean = self.sums / self.counts.clamp_min(1)
        self.means.copy_(torch.where(full, torch.stack([self.means[1], mean]), self.means))
        self.sums.copy_(torch.where(full, 0, self.sums))
        self.counts.copy_(torch.where(full, 0, self.counts))


class LearnedVariance(BalancerModule):
    """sum_t c_t exp(-s_t) L_t + s_t / 2 with a learned log-variance s_t for each task.

    Args:
        tasks: All tasks; c_t is 1/2 for regression and 1 otherwise.
    """

    factors: Tensor

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(tasks)
        # One tensor each: that of a task without a loss in the step gets no gradient, and so no momentum moves it.
        self.log_variance = nn.ParameterList([torch.zeros(()) for _ in tasks])
        self.register_buffer("factors", torch.tensor([0.5 if task.kind == "regression" else 1.0 for task in tasks]))

    def forward(self, losses: Mapping[str, Tensor], step: Step, gram: Tensor | None = None) -> Balanced:
        """The objective, and the weights c_t exp(-s_t)."""
        places = self.places(losses)
        values, s = torch.stack(list(losses.values())), torch.stack([self.log_variance[place] for place in places])
        weights = (picked(self.factors, places) * (-s).exp()).to(values.dtype)
        total = (weights * values + s / 2).sum()
        return Balanced(total, dict(zip(losses, weights.detach().unbind(), strict=True)))


def picked(values: Tensor, places: Sequence[int]) -> Tensor:
    """values (T,) at some places, without an index that would have to be copied to the device."""
    if list(places) == list(range(len(values))):
        return values
    return torch.stack([values[place] for place in places])
