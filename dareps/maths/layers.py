"""Layers that several families build their networks from."""

from __future__ import annotations

from torch import nn


class ZeroLinear(nn.Linear):
    """A linear layer that starts, and is reset, at 0."""

    def reset_parameters(self) -> None:
        """Set weight and bias to 0."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
