"""Shared and private codes that together give the rows back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dareps.maths.precision import wide, widened
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import total
from dareps.sharing._codes import DIFFERENCES, ERRORS
from dareps.sharing._modules import Seen
from dareps.sharing._private import SharedBesidePrivate
from dareps.types import Along

_CHANNELS = 16


@dataclass(frozen=True, slots=True)
class Separation:
    """What the codes of a network are held to.

    Attributes:
        private: Whether there are private encoders.
        wanted: The penalties to compute, of `reconstruction` and `difference`.
        form: A key of `DIFFERENCES`.
        error: A key of `ERRORS`.
        hidden: Units of the decoder's hidden layer, for inputs that are no images.
    """

    private: bool
    wanted: tuple[str, ...]
    form: str
    error: str
    hidden: int


class SeparatedEncoders(SharedBesidePrivate):
    """A domain separation network without its heads and its similarity loss.

    Args:
        separation: What is private, and which penalties make it so.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, separation: Separation, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        super().__init__(blueprint, along, names, private=separation.private)
        self.separation = separation
        features, hidden = self.encoder.features, separation.hidden
        self.decoder = decoder(features, hidden, blueprint.shape) if "reconstruction" in separation.wanted else None

    def penalties(self, seen: Seen) -> dict[str, Tensor]:
        """Reconstruction and difference, each summed over branches."""
        wanted, found = self.wanted(seen.groups), {}
        if "reconstruction" in self.separation.wanted:
            found["reconstruction"] = total(self._reconstruction(seen, branch) for branch in wanted)
        if "difference" in self.separation.wanted:
            found["difference"] = total(self._difference(seen, branch) for branch in wanted)
        return found

    def _reconstruction(self, seen: Seen, branch: int) -> Tensor:
        assert self.decoder is not None
        chosen = self.wanted(seen.groups)[branch]
        own = [self.representation(seen, group, branch) for group in chosen]
        codes = [each.shared if each.private is None else each.shared + each.private for each in own]
        rows = self.flow(seen.joined, seen.groups).rows(chosen)
        return widened(ERRORS[self.separation.error], rows, self.decoder(torch.cat(codes))).mean()

    def _difference(self, seen: Seen, branch: int) -> Tensor:
        shared, private = self.codes(seen, branch)
        return widened(DIFFERENCES[self.separation.form], wide(shared), private)


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
