"""What is handed from one phase to the next: which parts are drawn anew, and the heads that are left behind."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dareps.engine.moving import Rates, moving_in, named, stages_of
from dareps.engine.phases import Plan
from dareps.engine.population import Population
from dareps.errors import ConfigError
from dareps.recipe.method import Method

Former = dict[str, Tensor]
"""`TASK.weight` and `TASK.bias` of heads that were drawn anew, as they were; with the leading S of a stack."""


def reset_parts(population: Population, plan: Plan) -> set[str]:
    """The parameters that a phase draws anew when it begins.

    Raises:
        ConfigError: A part or a stage does not exist.
    """
    phase, where = plan.phase, f"phases.{plan.number}"
    stages = stages_of(population.method)
    if phase.reset_top > len(stages):
        what = f"the encoder has {len(stages)} stages ({', '.join(stages)})"
        raise ConfigError(f"{where}.reset_top", what, phase.reset_top, "Draw fewer anew.")
    top = [f"encoder.{stage}" for stage in stages[len(stages) - phase.reset_top :]]
    return named(population, [*phase.reset, *top], f"{where}.reset")


def check_names(population: Population, plan: Plan) -> None:
    """Look up everything that a phase names before anything is trained.

    Raises:
        ConfigError: A part, a stage or a rate of the phase fits nothing.
    """
    Rates(population, moving_in(population, plan), torch.device("cpu"), plan)
    moving_in(population, plan, 0)
    reset_parts(population, plan)


def start_anew(population: Population, plan: Plan, former: Former) -> None:
    """Draw anew what a phase wants so; heads that go are kept in `former`, the first of each task.

    Raises:
        ConfigError: Something cannot be drawn.
    """
    names = reset_parts(population, plan)
    if not names:
        return
    for name in names:
        head, _, rest = name.partition(".")
        if head == "heads" and plan.number:
            former.setdefault(rest, population.parameters[name].detach().clone())
    left = population.draw_anew(names, plan.number)
    if left:
        what = "its modules do not say how these are drawn"
        raise ConfigError(f"phases.{plan.number}.reset", what, left[0], "Give the module a reset_parameters().")


@torch.no_grad()
def with_heads(method: Method, heads: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put weights into a method's heads; gives those that were there."""
    own = dict(method.heads.named_parameters())
    before = {name: own[name].detach().clone() for name in heads}
    for name, value in heads.items():
        own[name].copy_(value)
    return before
