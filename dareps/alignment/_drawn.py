"""Losses along drawn directions: fresh keyed ones in every step, fixed ones where there is no step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dareps.alignment._modules import Pairwise
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.noise import Noise
from dareps.maths.quantiles import unit_columns
from dareps.types import NoiseSource, Step, View


class AlongDrawn(Pairwise):
    """A two-sample loss along random unit directions, drawn anew in every step; all pairs of domains share them.

    Args:
        settings: The alignment that built this module.
        loss: (source (n, d), target (m, d), directions (d, p)) -> ().
        count: p.
    """

    def __init__(
        self, settings: AlignmentSettings, loss: Callable[[Tensor, Tensor, Tensor], Tensor], count: int
    ) -> None:
        super().__init__(settings)
        self.loss, self.count, self.place = loss, count, "directions"

    def between(self, source: View, target: View, step: Step) -> Tensor:
        """The loss between two streams, 0-d."""
        rows = source.shared
        return self.loss(rows, target.shared, directions(rows, self.count, step.noise, self.place))


def directions(rows: Tensor, count: int, noise: NoiseSource, place: str) -> Tensor:
    """Unit columns (d, count), uniform on the sphere, for rows (n, d); in at least float32."""
    drawn = noise.normal(f"{place}/directions", (rows.shape[1], count))
    return unit_columns(drawn.to(torch.promote_types(rows.dtype, torch.float32)))


def fixed_directions(rows: Tensor, count: int) -> Tensor:
    """The same, equal in every call."""
    zero = rows.new_zeros((), dtype=torch.int64)
    return directions(rows, count, Noise(zero, zero), "fixed")
