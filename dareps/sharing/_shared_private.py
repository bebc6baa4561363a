"""Shared and private codes that together give the rows back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dareps.maths.precision import wide, widened
from dareps.sharing._base import Along, Blueprint
from dareps.sharing._branched import total
from dareps.sharing._codes import DIFFERENCES, ERRORS
from dareps.sharing._modules import Seen
from dareps.sharing._private import SharedBesidePrivate

if TYPE_CHECKING:
    from dareps.sharing.shared_private import SharedPrivate

_CHANNELS = 16


class SeparatedEncoders(SharedBesidePrivate):
    """A domain separation network without its heads and its similarity loss.

    Args:
        settings: The scheme.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, settings: SharedPrivate, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names, private=settings.private == "own")
        self.settings = settings
        wanted = settings.reconstruction > 0
        self.decoder = decoder(self.encoder.features, settings.hidden, blueprint.shape) if wanted else None

    def penalties(self, seen: Seen) -> dict[str, Tensor]:
        """Reconstruction and difference, each summed over branches."""
        wanted, found = self.wanted(seen.groups), {}
        if self.settings.reconstruction > 0:
            found["reconstruction"] = total(self._reconstruction(seen, branch) for branch in wanted)
        if self.settings.difference > 0:
            found["difference"] = total(self._difference(seen, branch) for branch in wanted)
        return found

    def _reconstruction(self, seen: Seen, branch: int) -> Tensor:
        assert self.decoder is not None
        chosen = self.wanted(seen.groups)[branch]
        own = [self.representation(seen, group, branch) for group in chosen]
        codes = [each.shared if each.private is None else each.shared + each.private for each in own]
        rows = self.flow(seen.joined, seen.groups).rows(chosen)
        return widened(ERRORS[self.settings.error], rows, self.decoder(torch.cat(codes))).mean()

    def _difference(self, seen: Seen, branch: int) -> Tensor:
        shared, private = self.codes(seen, branch)
        return widened(DIFFERENCES[self.settings.form], wide(shared), private)


def decoder(features: int, hidden: int, shape: tuple[int, ...]) -> nn.Module:
    """(n, features) -> (n, *shape): for images from a quarter of their sides upwards, else one hidden layer."""
    if len(shape) == 3:
        return ImageDecoder(features, shape)
    layers = [nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, math.prod(shape)), nn.Unflatten(1, shape)]
    return nn.Sequential(*layers)


class ImageDecoder(nn.Module):
    """A dense layer to a quarter of the sides, then two times double the sides and convolve.

    Args:
        features: Width of the codes.
        shape: (channels, height, width) of an image.
    """

    def __init__(self, features: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, *sides = shape
        self.sides, self.small = sides, [-(-side // 4) for side in sides]
        self.dense = nn.Linear(features, _CHANNELS * math.prod(self.small))
        layers = [nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)]
        self.grow = nn.Sequential(nn.ReLU(), nn.Upsample(scale_factor=2), *layers)
        self.last = nn.Conv2d(_CHANNELS, channels, 3, padding=1)

    def forward(self, codes: Tensor) -> Tensor:
        """Images (n, channels, height, width) of codes (n, features)."""
        x = self.grow(self.dense(codes).unflatten(1, (_CHANNELS, *self.small)))
        result: Tensor = self.last(x[..., : self.sides[0], : self.sides[1]])
        return result
