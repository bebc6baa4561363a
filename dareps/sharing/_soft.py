"""Encoders whose weights are pulled together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from dareps.maths.spectral import nuclear_norm
from dareps.maths.staged import Staged
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import total
from dareps.sharing._encoders import SeparateEncoders, check_stages
from dareps.sharing._modules import Seen
from dareps.types import Along

PENALTY: Final = "coupling"


@dataclass(frozen=True, slots=True)
class Distance:
    """How far branches are apart.

    Attributes:
        norm: A key of `DISTANCES`; None for no penalty.
        stages: Factors of stages; 1 for those left out.
        mean: Whether a stage's part is divided by its number of values.
    """

    norm: str | None
    stages: Mapping[str, float]
    mean: bool


class SoftSharing(SeparateEncoders):
    """Separate encoders with a penalty on their distance.

    Args:
        distance: The distance that is a penalty or a step.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, distance: Distance, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names)
        self.distance = distance
        first = self.branches[0]
        assert isinstance(first, Staged)
        check_stages("sharing.stages", distance.stages, first)
        self.sizes = {
            stage: sum(value.numel() for value in first.chain[stage].parameters()) * len(names) for stage in first.names
        }

    def penalties(self, seen: Seen) -> dict[str, Tensor]:
        """The coupling, 0-d; of encoders without parameters 0."""
        return {} if self.distance.norm is None else {PENALTY: self._coupling(self.distance.norm, seen.joined)}

    def pull(self, strength: Tensor, moving: frozenset[str]) -> None:
        """Move what the phase trains towards the mean over branches, by the proximal map of the squared distance."""
        for name in self.holders:
            factor = self._factor(name.split(".")[1])
            if f"branches.0.{name}" in moving and factor:
                values = self.values(name)
                kept = (1 / (1 + 2 * factor * strength)).to(values[0].dtype)
                mean = torch.stack(values).mean(0)
                for own in values:
                    own.copy_(mean + kept * (own - mean))

    def _coupling(self, norm: str, like: Tensor) -> Tensor:
        found = [self._factor(stage) * DISTANCES[norm](values) for stage, values in self._stacked()]
        return total(found) if found else like.new_zeros(())

    def _factor(self, stage: str) -> float:
        return self.distance.stages.get(stage, 1.0) / (self.sizes[stage] if self.distance.mean else 1)

    def _stacked(self) -> Iterator[tuple[str, Tensor]]:
        """(stage, values (*, T)) of each coupled parameter over all branches."""
        for name in self.holders:
            stage = name.split(".")[1]
            if self.distance.stages.get(stage) != 0:
                yield stage, torch.stack(self.values(name), dim=-1)


def spread(values: Tensor) -> Tensor:
    """Sum of squared distances to the mean of the last axis, 0-d."""
    return (values - values.mean(-1, keepdim=True)).square().sum()


def last_axis(values: Tensor) -> Tensor:
    """Trace norm of the last-axis flattening, 0-d; 0 for biases, which are vectors before they are stacked."""
    return nuclear_norm(values.flatten(0, -2)) if values.dim() > 2 else values.new_zeros(())


def tucker(values: Tensor) -> Tensor:
    """Sum of the trace norms of all mode flattenings, 0-d; 0 for biases."""
    if values.dim() < 3:
        return values.new_zeros(())
    return total(nuclear_norm(values.movedim(mode, 0).flatten(1)) for mode in range(values.dim()))


def tensor_train(values: Tensor) -> Tensor:
    """Sum of the trace norms of all flattenings of the first axes against the rest, 0-d; 0 for biases."""
    if values.dim() < 3:
        return values.new_zeros(())
    shape = values.shape
    return total(nuclear_norm(values.reshape(math.prod(shape[:cut]), -1)) for cut in range(1, len(shape)))


DISTANCES: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "l2": spread,
    "laf": last_axis,
    "tucker": tucker,
    "tt": tensor_train,
}
