"""Weights that are held near where they began, or near 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dareps.maths.networks import Networks
from dareps.plugin import Strength
from dareps.transfer._regulariser import Regulariser
from dareps.transfer.regularise._modules import RegulariserModule, Sight, total


@dataclass(frozen=True, slots=True)
class Pull:
    """A squared distance of a part's weights from where they are wanted.

    Attributes:
        name: The term.
        part: `encoder`, or `heads` for those of the tasks that the phase trains.
        weight: Its weight.
        factor: What the sum of squares is multiplied by before.
        home: Whether they are wanted where the phase began, or else at 0.
    """

    name: str
    part: str
    weight: Strength
    factor: float
    home: bool


class Held(RegulariserModule):
    """Pulls as penalties, or as steps of their own after the optimizer's.

    Args:
        settings: The regulariser that built this module.
        pulls: The pulls.
        proximal: Whether they are steps.
        trained: The tasks that the phase trains.
    """

    keeps = True

    def __init__(self, settings: Regulariser, pulls: Sequence[Pull], proximal: bool, trained: Sequence[str]) -> None:
        super().__init__(settings)
        self.pulls = [pull for pull in pulls if pull.weight != 0]
        self.proximal = proximal
        self.parts = {"encoder": ("encoder.",), "heads": tuple(f"heads.{task}." for task in trained)}

    def forward(self, sight: Sight) -> dict[str, Tensor]:
        """The sums of squares by term; none where they are steps of their own."""
        if self.proximal or sight.start is None:
            return {}
        return {pull.name: self._value(pull, sight) for pull in self.pulls}

    @property
    def follows(self) -> bool:
        """Whether weights move after a step."""
        return self.proximal and bool(self.pulls)

    def after_step(
        self, progress: Tensor, rate: Tensor, networks: Networks, start: Networks, moving: frozenset[str]
    ) -> None:
        """The proximal map of every pull, in place."""
        for pull in self.pulls if self.proximal else ():
            share = self._share(pull, progress, rate)
            for weight, home in self._pairs(pull, networks, start, moving):
                weight.copy_(moved(weight, torch.zeros_like(weight) if home is None else home, share))

    def _value(self, pull: Pull, sight: Sight) -> Tensor:
        assert sight.start is not None
        pairs = self._pairs(pull, sight.networks, sight.start, sight.moving)
        found = [(weight if home is None else weight - home).square().sum() for weight, home in pairs]
        return pull.factor * total(found, sight.streams[0].x)

    def _share(self, pull: Pull, progress: Tensor, rate: Tensor) -> Tensor:
        """How far a step goes home, from 0 to 1."""
        if isinstance(pull.weight, str):
            return torch.ones_like(rate)
        strength = 2 * pull.factor * rate * pull.weight * self.settings.schedule(progress)
        return strength / (1 + strength)

    def _pairs(
        self, pull: Pull, networks: Networks, start: Networks, moving: frozenset[str]
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """A part's weights that the phase moves, each with where it is wanted; None for 0."""
        homes = dict(start.named_buffers()) if pull.home else {}
        for name, weight in networks.named_parameters():
            if name.startswith(self.parts[pull.part]) and name.removeprefix("encoder.") in moving:
                yield weight, homes[name] if pull.home else None


def moved(weight: Tensor, home: Tensor, share: Tensor) -> Tensor:
    """weight + share * (home - weight), and at both ends the one or the other to the last bit."""
    share = share.to(weight.dtype)
    between = torch.lerp(weight, home, share)
    return torch.where(share >= 1, home, torch.where(share > 0, between, weight))
