"""One training step: its sub-steps, what follows them, and what the log is told beside the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dareps.engine.capture import Inputs
from dareps.engine.moving import Rates, trained
from dareps.engine.population import Population
from dareps.engine.refresh import after_step
from dareps.engine.rows import Pool
from dareps.engine.state import Precision
from dareps.recipe.settings import Conflict
from dareps.types import ORDINARY, SubStep

Gathered = tuple[Tensor, Mapping[str, Tensor]]
"""Inputs and labels of a step's rows."""


@dataclass(frozen=True, slots=True)
class Update:
    """One step of a phase as a function of tensors alone.

    Attributes:
        population: Whose parameters move.
        pool: Where rows come from.
        rates: The learning rates.
        optimizer: The update rule.
        moving: The parameters that the phase trains.
        parts: The same, in parts that are clipped apart.
        subs: The sub-steps, and what moves in each.
        clip: Largest norm of the gradient, or None.
        precision: Makes the context in which losses are computed.
        tasks: Those that the step trains; None for all.
        follows: Whether something is to be done after each step.
        conflict: How the tasks' conflict is logged in this step; None for not at all.
    """

    population: Population
    pool: Pool
    rates: Rates
    optimizer: Optimizer
    moving: Sequence[nn.Parameter]
    parts: Sequence[Sequence[nn.Parameter]]
    subs: Sequence[tuple[SubStep, list[nn.Parameter]]]
    clip: float | None
    precision: Precision
    tasks: tuple[str, ...] | None
    follows: bool
    conflict: Conflict | None

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """Take the step; returns its logged parts, each 0-d or (S,)."""
        rows = self.pool.gather(inputs.index)
        self.rates.set(inputs.rate)
        before = {} if self.conflict is None else self._standing()
        values: dict[str, Tensor] = {}
        for sub, wanted in self.subs:
            for turn in range(sub.repeat):
                own = self._take(rows, inputs, sub, turn, wanted) if sub.trains else self._look(rows, inputs, sub)
            values = {**own, **values} if sub.owner is not None else {**values, **own}
        if self.follows:
            after_step(self.population, inputs.progress, inputs.rate)
        if self.conflict is not None:
            values |= self._changes(rows, inputs, before, self.conflict)
        return {name: value.detach() for name, value in values.items()}

    def _take(
        self, rows: Gathered, inputs: Inputs, sub: SubStep, turn: int, wanted: list[nn.Parameter]
    ) -> dict[str, Tensor]:
        """One turn of a sub-step."""
        for parameter in self.moving:
            parameter.grad = None
        pairs = self.conflict.pairs if self.conflict is not None and sub == ORDINARY else None
        with self.precision():
            total, values = self.population.losses(self.pool, *rows, inputs, sub, turn, self.tasks, pairs)
        torch.autograd.backward(total, inputs=wanted if len(self.subs) > 1 else None)
        if self.clip is not None:
            self.population.clip(self.parts, self.clip)
        self.optimizer.step()
        return values

    @torch.no_grad()
    def _look(self, rows: Gathered, inputs: Inputs, sub: SubStep) -> dict[str, Tensor]:
        """A second look at the losses, of which the log is told nothing."""
        with self.precision():
            self.population.losses(self.pool, *rows, inputs, sub, 0, self.tasks)
        return {}

    def _standing(self) -> dict[str, Tensor]:
        """Clones of the parameters that may move."""
        named = self.population.parameters.items()
        return {name: value.detach().clone() for name, value in named if value.requires_grad}

    @torch.no_grad()
    def _changes(
        self, rows: Gathered, inputs: Inputs, before: Mapping[str, Tensor], conflict: Conflict
    ) -> dict[str, Tensor]:
        """What the step did to each task's loss to first order, as `conflict.TASK`."""
        wanted = {id(value) for value in trained(self.population, conflict.along, "engine.conflict.along")}
        after = {name: value for name, value in self.population.parameters.items() if id(value) in wanted}
        moved = {name: value.detach() - before[name] for name, value in after.items() if name in before}
        if not moved:
            return {}
        with self.precision():
            found = self.population.changes(self.pool, *rows, inputs, before, moved, self.tasks)
        return {name.replace("task.", "conflict.", 1): value for name, value in found.items()}
