"""The stage that runs every view's own network."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dareps.encoders._shapes import Shape
from dareps.encoders._stages import Stages


class Views(nn.Module):
    """Rows of values -> the features of their views: (n, *shape) -> (n, width).

    Args:
        places: Number of each view -> where it starts in the row, its shape, its network.
        added: Whether features are added rather than put side by side.
    """

    def __init__(self, places: Mapping[int, tuple[int, Shape, Stages]], *, added: bool) -> None:
        super().__init__()
        self.places = {f"view{number}": (start, shape) for number, (start, shape, _) in places.items()}
        # Named by their numbers, so that a view starts from the same weights whichever others are read.
        self.networks = nn.ModuleDict({f"view{number}": stages for number, (_, _, stages) in places.items()})
        self.added = added
        widths = [stages.features for _, _, stages in places.values()]
        self.width = widths[0] if added else sum(widths)

    def forward(self, x: Tensor) -> Tensor:
        """Features of all views, side by side in the order of the row, or added."""
        rows = x.flatten(1)
        features = []
        for name, network in self.networks.items():
            start, shape = self.places[name]
            features.append(network(rows[:, start : start + math.prod(shape)].reshape(-1, *shape)))
        return torch.stack(features).sum(dim=0) if self.added else torch.cat(features, dim=1)
