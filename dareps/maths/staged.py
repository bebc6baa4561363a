"""A chain of named stages with known output shapes: what encoders are and what sharing schemes split."""

from __future__ import annotations

from torch import Tensor, nn


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
    def features(self) -> int:
        """Width d of the last stage's output."""
        return self.shapes[self.names[-1]][0]

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, d) of x (n, *shape)."""
        for stage in self.chain.values():
            x = stage(x)
        return x

    def taps(self, x: Tensor) -> dict[str, Tensor]:
        """Every stage's output by name; the last one is the features."""
        outputs = {}
        for name, stage in self.chain.items():
            x = outputs[name] = stage(x)
        return outputs
