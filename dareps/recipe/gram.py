"""How the tasks' gradients agree, on the features that their heads share or on the parameters that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import grad, vjp

from dareps.errors import ConfigError
from dareps.maths.precision import widened
from dareps.recipe.task_losses import labelled, task_losses
from dareps.types import Meeting, Representation, Rows, Task

Found = Sequence[Mapping[str, Representation]]
Outputs = Sequence[Mapping[str, Tensor]]
"""Per stream, something of each task."""
Represent = Callable[[Mapping[str, Tensor], tuple[str, ...]], Found]
"""(parameters by name, names of tasks) -> per stream, the representations of these tasks with these parameters."""
_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Heads:
    """What a step's task losses were computed from.

    Attributes:
        tasks: Those with labels in a stream.
        heads: Task -> head, linear.
        streams: The step's rows.
        found: Per stream, the representation of each task.
        logits: Per stream, the heads' outputs.
        smoothing: Share of each class label that is spread evenly over the classes.
    """

    tasks: Sequence[Task]
    heads: nn.ModuleDict
    streams: Sequence[Rows]
    found: Found
    logits: Outputs
    smoothing: float = 0.0

    def slopes(self) -> list[list[Tensor]]:
        """Per task and stream, the gradient of the task's loss by what its head reads there (n, d).

        One pass goes back from all losses to the heads' outputs, since a task's loss reads no other's; from there it is
        a product with the head's weights.
        """
        outputs = [{task.name: own[task.name].detach() for task in self._labelled(at)} for at, own in self._places()]

        def total(outputs: Outputs) -> Tensor:
            return torch.stack(list(task_losses(self.tasks, self.streams, outputs, self.smoothing).values())).sum()

        with torch.no_grad():
            by_outputs: Outputs = grad(total)(outputs)
            return [[self._slope(task, at, by_outputs[at]) for at, _ in self._places()] for task in self.tasks]

    def _slope(self, task: Task, at: int, by_outputs: Mapping[str, Tensor]) -> Tensor:
        if task.name not in by_outputs:
            return torch.zeros_like(self.found[at][task.name].task)
        return widened(torch.matmul, by_outputs[task.name], cast(nn.Linear, self.heads[task.name]).weight)

    def _labelled(self, at: int) -> list[Task]:
        return [task for task in self.tasks if labelled(task, [self.streams[at]], [None])]

    def _places(self) -> list[tuple[int, Mapping[str, Tensor]]]:
        return list(enumerate(self.logits))


def grams_of(
    own: Heads,
    asking: Mapping[Meeting | None, str],
    represent: Represent,
    shared: Callable[[], Mapping[str, Tensor]],
) -> dict[Meeting | None, Tensor]:
    """Inner products (k, k) of the gradients of k tasks' losses, by where these are taken.

    Args:
        own: What the losses were computed from.
        asking: Where gradients are wanted, and who asks, for errors.
        represent: Makes the representations anew.
        shared: Gives the shared parameters by name.
    """
    found: dict[Meeting | None, Tensor] = {}
    if own.tasks and "features" in asking:
        found["features"] = feature_gram(own, asking["features"])
    if own.tasks and "parameters" in asking:
        found["parameters"] = parameter_gram(own, represent, shared(), asking["parameters"])
    return found


def feature_gram(own: Heads, where: str) -> Tensor:
    """Inner products (k, k) of the gradients of k tasks' losses by the features of all streams, without gradient.

    No pass goes through the encoder: by the chain rule the features' gradients are what the encoder's are made of
    (Sener & Koltun, NeurIPS 2018, section 3.3).

    Args:
        own: What the losses were computed from.
        where: Who asks, for errors.

    Raises:
        ConfigError: Heads of one stream read different features, so that the gradients do not meet there.
    """
    if len(_reading_alike(own)) > 1:
        what = "the tasks' heads read features of their own, so that their gradients do not meet there"
        raise ConfigError(where, what, fix="Use sharing: hard, or take the gradients by parameters.")
    return _products([torch.cat([slope.flatten() for slope in slopes]) for slopes in own.slopes()])


def parameter_gram(own: Heads, represent: Represent, shared: Mapping[str, Tensor], where: str) -> Tensor:
    """Inner products (k, k) of the gradients of k tasks' losses by shared parameters, without gradient.

    A pass forward for each set of tasks that read the same features, and a pass back for each task, from its features.
    Losses in one tensor would send zeros back through every other task's head and branch: passes quadratic in k.

    Args:
        own: What the losses were computed from.
        represent: Makes the representations anew.
        shared: Parameters by name.
        where: Who asks, for errors.

    Raises:
        ConfigError: There are no shared parameters.
    """
    if not shared:
        fix = "Use another sharing scheme, or train what the tasks share."
        raise ConfigError(where, "the tasks share no parameter that moves, so that no gradients meet", fix=fix)
    slopes = dict(zip((task.name for task in own.tasks), own.slopes(), strict=True))
    flat: dict[str, Tensor] = {}
    with torch.no_grad():
        for names in _reading_alike(own):
            flat |= _by_parameters(names, slopes, represent, shared)
    return _products([flat[task.name] for task in own.tasks])


def _by_parameters(
    names: tuple[str, ...], slopes: Mapping[str, list[Tensor]], represent: Represent, shared: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """By task the flat gradient by shared parameters, of tasks that read the same features."""

    def features(some: Mapping[str, Tensor]) -> list[Tensor]:
        return [own[names[0]].task for own in represent(some, names)]

    pull = cast(Callable[[list[Tensor]], tuple[dict[str, Tensor]]], vjp(features, dict(shared))[1])
    found = {name: pull(slopes[name])[0] for name in names}
    return {name: torch.cat([slope.flatten() for slope in own.values()]) for name, own in found.items()}


def agreement(names: Sequence[str], gram: Tensor) -> dict[str, Tensor]:
    """`norm.TASK` and `cosine.TASK.TASK` of gradients with these inner products, each 0-d; a cosine of 0 / 0 is 0."""
    norms = gram.diagonal().clamp_min(0).sqrt()
    cosines = gram / (norms[:, None] * norms).clamp_min(_TINY)
    values = {f"norm.{name}": norm for name, norm in zip(names, norms.unbind(), strict=True)}
    for (first, one), (second, other) in combinations(enumerate(names), 2):
        values[f"cosine.{one}.{other}"] = cosines[first, second]
    return values


def _products(gradients: Sequence[Tensor]) -> Tensor:
    return widened(lambda rows: rows @ rows.T, torch.stack(list(gradients)))


def _reading_alike(own: Heads) -> list[tuple[str, ...]]:
    """The tasks in sets that read the same features in every stream."""
    sets: dict[tuple[int, ...], list[str]] = {}
    for task in own.tasks:
        sets.setdefault(tuple(id(found[task.name].task) for found in own.found), []).append(task.name)
    return [tuple(names) for names in sets.values()]
