"""A stem for sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.encoders._shapes import Shape
from dareps.encoders.stems._base import Stem
from dareps.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn


class Conv1dStem(Stem):
    """Two convolutions along time, each of which halves it, and a linear layer; for rows (channels, times)."""

    name = "conv1d"
    channels: int = Field(32, gt=0)
    """Of both convolutions."""
    kernel: int = Field(5, gt=0)
    """Times that a convolution sees at once."""

    def build(self, form: Shape, to: Shape) -> nn.Module:
        """Convolve, flatten, project, unfold.

        Raises:
            ConfigError: The rows are no sequences.
        """
        from torch import nn

        from dareps.encoders._stages import flat

        if len(form) != 2:
            raise ConfigError("stem conv1d", "needs sequences (channels, times)", form, "Use mlp or linear.")
        layers: list[nn.Module] = []
        (channels, times), padding = form, self.kernel // 2
        for _ in range(2):
            layers += [nn.Conv1d(channels, self.channels, self.kernel, stride=2, padding=padding), nn.ReLU()]
            channels, times = self.channels, (times + 2 * padding - self.kernel) // 2 + 1
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * times, flat(to)), nn.Unflatten(1, to))
