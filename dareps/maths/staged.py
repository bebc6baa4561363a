"""A chain of named stages with known output shapes: what encoders are and what sharing schemes split."""

from __future__ import annotations

from itertools import islice

from torch import Tensor, nn

from dareps.maths.scope import Scope

_passed: list[int] = []


def entering(stages: int) -> Scope[int]:
    """Say that the rows which encoders are given inside have passed so many of their stages already."""
    return Scope(_passed, stages)


class Staged(nn.Module):
    """An encoder as sharing, freezing and layer transfer speak of it.

    Attributes:
        names: The stages, in order.
        chain: Stage name -> module.
        shapes: Output shape of one row after each stage.
    """

    names: tuple[str, ...]
    chain: nn.ModuleDict
    shapes: dict[str, tuple[int, ...]]

    @property
    def whole(self) -> tuple[str, ...]:
        """The stages of the encoder that this is, or is a part of."""
        return self.names

    @property
    def features(self) -> int:
        """Width d of the last stage's output."""
        return self.shapes[self.names[-1]][0]

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, d) of x (n, *shape); inside `entering`, of what the stages passed have made of it."""
        for stage in islice(self.chain.values(), _passed[-1], None) if _passed else self.chain.values():
            x = stage(x)
        return x

    def taps(self, x: Tensor) -> dict[str, Tensor]:
        """Every stage's output by name; the last one is the features."""
        outputs = {}
        for name, stage in self.chain.items():
            x = outputs[name] = stage(x)
        return outputs
