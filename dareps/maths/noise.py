"""Keyed noise: random numbers as a pure tensor function of (seed, step, name of the place).

A counter-based generator (the finaliser of splitmix64 applied to a key and a counter), written in plain tensor
operations, so that single, stacked, captured and resumed runs see the same numbers and no global generator moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dareps.errors import ContractError
from dareps.maths.keys import key_of as key_of
from dareps.maths.scope import Scope


def _signed(value: int) -> int:
    """The 64-bit pattern as the signed integer that torch stores."""
    return value - (1 << 64) if value >= 1 << 63 else value


_GAMMA = _signed(0x9E3779B97F4A7C15)
_MULTIPLY = (_signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB))
_SHIFTS = (30, 27, 31)
_MASKS = tuple((1 << (64 - shift)) - 1 for shift in _SHIFTS)
_RESOLUTION = 24


def mix(value: Tensor) -> Tensor:
    """The splitmix64 finaliser (Steele et al., OOPSLA 2014), element by element on int64."""
    for shift, mask, factor in zip(_SHIFTS[:2], _MASKS[:2], _MULTIPLY, strict=True):
        value = (value ^ ((value >> shift) & mask)) * factor
    return value ^ ((value >> _SHIFTS[2]) & _MASKS[2])


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of one step: `seed` and `step` are 0-d int64 tensors on the device where noise is wanted.

    `lane` tells the sub-steps of one step apart.
    """

    seed: Tensor
    step: Tensor
    lane: str = ""

    def bits(self, place: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform int64 bit patterns of the given shape."""
        key = mix(mix(self.seed * _GAMMA + key_of(self.lane + place)) + self.step * _GAMMA)
        counter = torch.arange(math.prod(shape), device=self.seed.device).view(shape)
        return mix(key + counter * _GAMMA)

    def uniform(self, place: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform on [0, 1), float32, with 24 random bits each."""
        top = (self.bits(place, shape) >> (64 - _RESOLUTION)) & ((1 << _RESOLUTION) - 1)
        return top.to(torch.float32) * 2.0**-_RESOLUTION

    def normal(self, place: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal, float32, by the Box-Muller transform."""
        radius = (-2 * (1 - self.uniform(f"{place}/radius", shape)).log()).sqrt()
        return radius * (2 * math.pi * self.uniform(f"{place}/angle", shape)).cos()

    def keep(self, place: str, shape: tuple[int, ...], probability: float) -> Tensor:
        """1 with the given probability, else 0, as float32."""
        return (self.uniform(place, shape) < probability).to(torch.float32)


_current: list[Noise] = []


def noise_scope(noise: Noise) -> Scope[Noise]:
    """Give the modules that run inside (dropout, for instance) the step's noise."""
    return Scope(_current, noise)


def current_noise() -> Noise:
    """The noise of the step that is being computed."""
    if not _current:
        fix = "Wrap the call in dareps.maths.noise.noise_scope, or call .eval() first."
        raise ContractError("keyed noise", "a module in training mode ran outside a step", fix=fix)
    return _current[-1]


class Dropout(torch.nn.Module):
    """Dropout whose mask is keyed by (seed, step, place); the place is the module's path in the method.

    Args:
        p: Probability of dropping an element.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p, self.place = p, "dropout"

    def forward(self, x: Tensor) -> Tensor:
        """x (n, ...) with elements dropped and the rest scaled by 1 / (1 - p) in training mode."""
        if not self.training or self.p == 0:
            return x
        keep = current_noise().keep(self.place, tuple(x.shape), 1 - self.p)
        return x * keep.to(x.dtype) / (1 - self.p)


def name_places(module: torch.nn.Module) -> None:
    """Tell every module that draws noise where it stands, so that no two places share noise."""
    for name, child in module.named_modules():
        if hasattr(child, "place"):
            child.place = name
