"""How the tasks' gradients agree on the features that their heads share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import grad

from dareps.errors import ConfigError
from dareps.maths.precision import wide
from dareps.recipe.task_losses import labelled, task_loss
from dareps.types import Representation, Rows, Task


def feature_gram(
    tasks: Sequence[Task],
    heads: nn.ModuleDict,
    streams: Sequence[Rows],
    found: Sequence[Mapping[str, Representation]],
) -> Tensor:
    """Inner products (k, k) of the gradients of k tasks' losses by the features of all streams, without gradient.

    One pass through each task's head, and none through the encoder: by the chain rule the features' gradients are what
    the encoder's are made of (Sener & Koltun, NeurIPS 2018, section 3.3).

    Args:
        tasks: Those with labels in a stream.
        heads: Task -> head.
        streams: The step's rows.
        found: Per stream, the representation of each task.

    Raises:
        ConfigError: Heads of one stream read different features, so that the gradients do not meet there.
    """
    features = tuple(_shared(tasks, own).detach() for own in found)

    def of_task(task: Task) -> Tensor:
        def value(features: tuple[Tensor, ...]) -> Tensor:
            pairs = labelled(task, streams, features)
            return task_loss(task, [(rows, wide(heads[task.name](own))) for rows, own in pairs])

        with torch.no_grad():
            slopes: tuple[Tensor, ...] = grad(value)(features)
        return torch.cat([slope.flatten() for slope in slopes])

    gradients = torch.stack([of_task(task) for task in tasks])
    return gradients @ gradients.T


def _shared(tasks: Sequence[Task], own: Mapping[str, Representation]) -> Tensor:
    first, *rest = (own[task.name].task for task in tasks)
    if any(other is not first for other in rest):
        what = "the tasks' heads read features of their own, so that their gradients do not meet there"
        raise ConfigError("balance", what, fix="Use sharing: hard, or a balancer that reads losses.")
    return first
