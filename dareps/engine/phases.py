"""What a phase means for a population: who trains, with which optimizer, at which rate."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dareps.data._base import LabelledPart, Part, SplitData
from dareps.engine.population import Population
from dareps.errors import ConfigError
from dareps.plugin import suggestion
from dareps.recipe.method import Method
from dareps.tasks import Scale, kind_of
from dareps.transfer import Train
from dareps.types import Task


@dataclass(frozen=True, slots=True)
class Plan:
    """A phase's place in the run: its number, and the steps before it."""

    number: int
    phase: Train
    offset: int

    @property
    def steps(self) -> int:
        """Steps of this phase."""
        return self.phase.steps or 0


def plans(phases: Sequence[Train]) -> list[Plan]:
    """The phases with their offsets."""
    found, offset = [], 0
    for number, phase in enumerate(phases):
        found.append(Plan(number, phase, offset))
        offset += found[-1].steps
    return found


def stream_parts(phase: Train, data: SplitData) -> list[Part | LabelledPart]:
    """The rows that a phase reads, one entry per stream; labels only where it declares them, numbers standardised."""
    parts: list[Part | LabelledPart] = []
    if phase.streams.source is not None:
        parts += data.source_train if phase.streams.source == "labelled" else _bare(data.source_train)
    if phase.streams.target is not None:
        parts += data.labelled_target() if phase.streams.target == "labelled" else data.target_train
    return [_standardised(part, data.scales) if isinstance(part, LabelledPart) else part for part in parts]


def _standardised(part: LabelledPart, scales: Mapping[str, Scale]) -> LabelledPart:
    labels = {task: scales[task].standardise(y) if task in scales else y for task, y in part.y.items()}
    return replace(part, y=labels)


def unlabelled_tasks(phases: Sequence[Train], data: SplitData, tasks: Sequence[Task]) -> dict[str, list[str]]:
    """Task -> domains of labelled streams that have no label of it; a task of which all have one is left out.

    Raises:
        ConfigError: No labelled stream of any phase has a label of some task.
    """
    parts = [part for phase in phases for part in stream_parts(phase, data) if isinstance(part, LabelledPart)]
    lacking = {}
    for task in tasks if parts else ():
        without = [part.domain for part in parts if not kind_of(task).known(part.y[task.name]).any()]
        if len(without) == len(parts):
            fix = "Label a stream that has the task, or leave the task out with `tasks: [...]`."
            raise ConfigError(f"tasks.{task.name}", "no stream of training has a label of this task", fix=fix)
        if without:
            lacking[task.name] = list(dict.fromkeys(without))
    return lacking


def _bare(parts: Sequence[LabelledPart]) -> list[Part]:
    return [Part(part.domain, part.role, part.x) for part in parts]


def target_labels(phases: Sequence[Train], data: SplitData) -> int:
    """How many target labels the phases see: the rows of the labelled target stream, counted once."""
    seen = any(phase.streams.target == "labelled" for phase in phases)
    return sum(len(part.x) for part in data.labelled_target()) if seen else 0


def part_names(population: Population) -> dict[str, list[str]]:
    """Part of the method -> names of its parameters: `encoder`, `encoder.STAGE`, `heads`, `align`, `align.INDEX`."""
    parts: dict[str, list[str]] = {"*": list(population.parameters)}
    for name in population.parameters:
        head, *rest = name.split(".")
        parts.setdefault(head, []).append(name)
        if head == "encoder" and "chain" in rest:
            parts.setdefault(f"encoder.{rest[rest.index('chain') + 1]}", []).append(name)
        if head == "align":
            parts.setdefault(f"align.{rest[0]}", []).append(name)
    return parts


def trained(population: Population, wanted: Sequence[str], where: str) -> list[nn.Parameter]:
    """The parameters of the named parts, in the method's order."""
    parts = part_names(population)
    for part in wanted:
        if part not in parts and part.split(".")[0] not in ("align", "heads", "shadow"):
            raise ConfigError(where, "no such part of the method", part, suggestion(part, parts))
    names = {name for part in wanted for name in parts.get(part, ())}
    return [value for name, value in population.parameters.items() if name in names]


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


def warn_of_idle_branches(method: Method, phases: Sequence[Train]) -> None:
    """Warn of domains with modules of their own that no phase ever trains: they stay as they were drawn."""
    if method.encoder.along != "domains" or not method.recipe.sharing.isolated:
        return
    read = {role for phase in phases for role in ("source", "target") if getattr(phase.streams, role)}
    for role, domains in (("source", method.sources), ("target", method.targets)):
        for domain in domains if role not in read else ():
            if any(True for module in method.encoder.own(domain) for _ in module.parameters()):
                what = f"no phase reads the {role}, so what {domain} has for itself stays as it was drawn"
                warnings.warn(f"sharing {type(method.recipe.sharing).name}: {what}.", stacklevel=2)


def freeze_rest(population: Population, moving: Sequence[nn.Parameter]) -> None:
    """Let only the given parameters move; modules that own none of them keep their statistics still, too."""
    ids = {id(parameter) for parameter in moving}
    names = {name for name, value in population.parameters.items() if id(value) in ids}
    for name, value in population.parameters.items():
        value.requires_grad_(name in names)
    population.method.moving = frozenset(name.removeprefix("encoder.") for name in names)
    population.method.train()
    for path, module in population.method.named_modules():
        own = [f"{path}.{name}" if path else name for name, _ in module.named_parameters(recurse=False)]
        if own and not any(name in names for name in own):
            module.training = False


class Rates:
    """The learning rates of a phase's parameters: one for nearly all, multiples of it for those that a scheme names.

    Args:
        population: Whose parameters move.
        moving: Which do.
        device: Where the optimizer reads its rates.

    Attributes:
        base: The ordinary rate, 0-d.
    """

    def __init__(self, population: Population, moving: Sequence[nn.Parameter], device: torch.device) -> None:
        factors = {f"encoder.{name}": factor for name, factor in population.method.encoder.faster().items()}
        own = {id(value): factors.get(name) for name, value in population.parameters.items()}
        self.base = torch.zeros((), device=device)
        self.faster = {factor: torch.zeros((), device=device) for factor in sorted(set(factors.values()))}
        self.members: dict[float | None, list[nn.Parameter]] = {}
        for parameter in moving:
            self.members.setdefault(own[id(parameter)], []).append(parameter)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Groups of parameters as optimizers take them; weight decay would pull what mixes branches towards silence."""
        return [
            {"params": members, "lr": self.base}
            if factor is None
            else {"params": members, "lr": self.faster[factor], "weight_decay": 0.0}
            for factor, members in self.members.items()
        ]

    def set(self, rate: Tensor) -> None:
        """Take over the rate of a step."""
        self.base.copy_(rate)
        for factor, own in self.faster.items():
            own.copy_(rate * factor)


def rates(phase: Train, steps: Tensor) -> Tensor:
    """The learning rate at each of the given steps of the phase, same shape, float32."""
    assert phase.optimizer is not None
    assert phase.schedule is not None
    progress = steps.to(torch.float32) / max(phase.steps or 0, 1)
    return phase.optimizer.lr * phase.schedule(progress)
