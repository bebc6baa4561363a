"""What stands in for a method where losses that run it are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dareps.maths.networks import Networks
from dareps.types import View

_SLOPE, _SHIFT = 3.0, 0.1


class Mixing:
    """Stands in for a method: outputs are a fixed curved map of the inputs, those of other networks another one.

    Everything treats all rows alike, so that their order makes no difference.
    """

    def __call__(self, views: Sequence[View], place: str = "", networks: torch.nn.Module | None = None) -> list[View]:
        key = 1 if networks is None else 2
        rows = [_curved(view.x, key) for view in views if view.x is not None]
        return [replace(view, shared=x, logits=x) for view, x in zip(views, rows, strict=True)]

    def augmented(self, view: View, place: str, rounds: int = 1, mask: float = 0.0) -> Tensor:
        """The rows, shrunk by the mask and shifted by the rounds: what chance would do, but without chance."""
        assert view.plain is not None
        return view.plain * (1 - mask / 2) + rounds * _SHIFT * _irregular(view.plain, 1, 3)[0]

    def normal(self, view: View, place: str) -> Tensor:
        """A fixed direction (n, d), the same for every row."""
        return _irregular(view.shared, 1, 4).expand_as(view.shared)


def student(weight: float) -> Networks:
    """Networks with a single weight, which nothing but copies of them looks at."""
    layer = torch.nn.Module()
    layer.register_parameter("weight", torch.nn.Parameter(torch.full((1,), weight)))
    return Networks(layer, torch.nn.Identity())


def _curved(x: Tensor, key: int) -> Tensor:
    # Neither saturates over the domain nor makes every row sure; a matrix product would follow autocast.
    mixed = (x.unsqueeze(-1) * _irregular(x, x.shape[-1], key)).sum(-2)
    return _SLOPE * mixed.asinh()


def _irregular(like: Tensor, rows: int, key: int) -> Tensor:
    """A fixed array (rows, d) in [-1, 1] without a pattern."""
    columns = like.shape[-1]
    places = torch.arange(1, rows * columns + 1, device=like.device).to(like.dtype)
    return (key * places.square()).sin().view(rows, columns)
