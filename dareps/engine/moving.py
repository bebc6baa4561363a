"""Which parameters of a population move at a step of a phase, and at which rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dareps.engine.phases import Plan
from dareps.engine.population import Population
from dareps.errors import ConfigError
from dareps.maths.staged import Staged
from dareps.recipe.method import Method
from dareps.sharing._part import Part
from dareps.transfer import Train, members_of, rate_factors, stages_below


def part_names(population: Population) -> dict[str, list[str]]:
    """Part of the method -> names of its parameters.

    Parts are `encoder`, `encoder.STAGE`, `heads`, `heads.TASK`, `align`, `align.INDEX`, and `*` for all. What adapts
    layers is in `adapters` alone.
    """
    own = [name for name in population.parameters if not adapts(name)]
    added = [name for name in population.parameters if adapts(name)]
    parts: dict[str, list[str]] = {"*": own, **({"adapters": added} if added else {})}
    parts |= {f"encoder.{stage}": [] for stage in stages_of(population.method)}  # Some have no parameters.
    for name in own:
        head, *rest = name.split(".")
        parts.setdefault(head, []).append(name)
        stage = stage_of(name)
        if stage:
            parts.setdefault(f"encoder.{stage}", []).append(name)
        if head in ("align", "heads"):
            parts.setdefault(f"{head}.{rest[0]}", []).append(name)
    return parts


def adapts(name: str) -> bool:
    """Whether a parameter is one of a layer's low-rank adapter."""
    return "adapter" in name.split(".")


def stage_of(name: str) -> str:
    """The stage of the encoder that a parameter belongs to; empty where it belongs to none."""
    head, *rest = name.split(".")
    return rest[rest.index("chain") + 1] if head == "encoder" and "chain" in rest else ""


def stages_of(method: Method) -> list[str]:
    """The stages of the encoder, from the input on; empty for a scheme that has none."""
    whole = (module.whole for module in method.encoder.modules() if isinstance(module, Staged | Part))
    return list(next(whole, ()))


def named(population: Population, wanted: Sequence[str], where: str) -> set[str]:
    """Names of the parameters of some parts.

    Raises:
        ConfigError: The method has no such part.
    """
    parts = part_names(population)
    return {name for part in wanted for name in members_of(part, parts, where)}


def trained(population: Population, wanted: Sequence[str], where: str) -> list[nn.Parameter]:
    """The parameters of the named parts, in the method's order."""
    names = named(population, wanted, where)
    return [value for name, value in population.parameters.items() if name in names]


def moving_in(population: Population, plan: Plan, step: int | None = None) -> list[nn.Parameter]:
    """The parameters that move at a step of a phase, in the method's order; at some step of it when it is None.

    Raises:
        ConfigError: The phase names a part or a stage that the method lacks, or freezes all that it trains.
    """
    phase, where = plan.phase, f"phases.{plan.number}"
    names = named(population, (*phase.trains, "shadow", "regularise"), f"{where}.trains")
    still = named(population, phase.freeze, f"{where}.freeze")
    stages = stages_of(population.method)
    if phase.freeze_below:
        below = stages_below(phase.freeze_below, stages, f"{where}.freeze_below")
        still |= {name for name in names if f"encoder.{stage_of(name)}" in below}
    if step is not None:
        still |= _waiting(names, phase, stages, step)
    found = names - still
    if names and not found:
        what = "nothing moves when the phase begins" if step is not None else "all that the phase trains is frozen"
        raise ConfigError(where, what, fix="Train the heads, or freeze less.")
    return [value for name, value in population.parameters.items() if name in found]


def _waiting(names: set[str], phase: Train, stages: Sequence[str], step: int) -> set[str]:
    """The parameters of the encoder that are still to begin to move; those of no stage begin with the top one."""
    if phase.unfreeze is None:
        return set()
    depths = {stage: depth for depth, stage in enumerate(reversed(stages))}
    begins = {name: phase.unfreeze.begins(depths.get(stage_of(name), 0), phase.steps or 0) for name in names}
    return {name for name, begin in begins.items() if name.startswith("encoder.") and begin > step}


def thaws(population: Population, phase: Train) -> set[int]:
    """Steps of a phase from which on more of the encoder moves."""
    if phase.unfreeze is None:
        return set()
    depths = range(len(stages_of(population.method)))
    return {phase.unfreeze.begins(depth, phase.steps or 0) for depth in depths}


def independent(population: Population, moving: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """The parameters in parts that no loss connects: each task apart with its head, each shadow, and the rest."""
    method = population.method
    owners = {f"{part}.{task}.": task for task in method.apart for part in ("encoder.alone", "heads")}
    owners |= {f"shadow.{task}.": f"shadow {task}" for task in method.shadow}
    if not owners:
        return [list(moving)]
    found: dict[str, list[nn.Parameter]] = {}
    ids = {id(parameter) for parameter in moving}
    for name, value in population.parameters.items():
        if id(value) in ids:
            owner = next((task for start, task in owners.items() if name.startswith(start)), "")
            found.setdefault(owner, []).append(value)
    return list(found.values())


def freeze_rest(population: Population, moving: Sequence[nn.Parameter]) -> None:
    """Let only the given parameters move; a module none of whose parameters does keeps all else still, too.

    Which these are goes by identity, never by value. Normalisation statistics stay as they are and nothing is dropped
    inside such a module, since all of it is in evaluation mode.
    """
    ids = {id(parameter) for parameter in moving}
    names = {name for name, value in population.parameters.items() if id(value) in ids}
    for name, value in population.parameters.items():
        value.requires_grad_(name in names)
    population.method.moving = frozenset(name.removeprefix("encoder.") for name in names)
    population.method.train()
    known: dict[str, int] = {}
    for name, _ in population.method.named_parameters():
        steps = name.split(".")[:-1]
        for length in range(1, len(steps) + 1):
            path = ".".join(steps[:length])
            known[path] = known.get(path, 0) + (name in names)
    for path, count in known.items():
        if not count:
            population.method.get_submodule(path).eval()


class Rates:
    """The learning rates of a phase's parameters: one for nearly all, and multiples of it.

    Args:
        population: Whose parameters move.
        moving: Which do.
        device: Where the optimizer reads its rates.
        plan: The phase, whose `rates` and `decay` give factors; a sharing scheme may give some as well.

    Attributes:
        base: The ordinary rate, 0-d.
    """

    def __init__(
        self, population: Population, moving: Sequence[nn.Parameter], device: torch.device, plan: Plan
    ) -> None:
        mixing = {f"encoder.{name}": factor for name, factor in population.method.encoder.faster().items()}
        ids = {id(parameter) for parameter in moving}
        names = {id(value): name for name, value in population.parameters.items() if id(value) in ids}
        phase, stages = plan.phase, stages_of(population.method)
        where = f"phases.{plan.number}"
        parts = part_names(population)
        own = rate_factors(list(names.values()), parts, stages, phase.rates, phase.decay, where)
        self.base = torch.zeros((), device=device)
        self.members: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for parameter in moving:
            name = names[id(parameter)]
            group = own[name] * mixing.get(name, 1.0), name in mixing
            self.members.setdefault(group, []).append(parameter)
        self.faster = {factor: torch.zeros((), device=device) for factor in sorted({key[0] for key in self.members})}
        self.faster[1.0] = self.base

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Groups of parameters as optimizers take them; weight decay would pull what mixes branches towards silence."""
        return [
            {"params": members, "lr": self.faster[factor], **({"weight_decay": 0.0} if mixes else {})}
            for (factor, mixes), members in self.members.items()
        ]

    def set(self, rate: Tensor) -> None:
        """Take over the rate of a step."""
        for factor, own in self.faster.items():
            own.copy_(rate if factor == 1.0 else rate * factor)
