"""Layers that several families build their networks from."""

from __future__ import annotations

from torch import nn


class _Zero(nn.Module):
    """A layer that starts, and is reset, at 0."""

    def reset_parameters(self) -> None:
        """Set weight and bias to 0."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


class ZeroLinear(_Zero, nn.Linear):
    """A linear layer that starts, and is reset, at 0."""


class ZeroConv1d(_Zero, nn.Conv1d):
    """A convolution of sequences that starts, and is reset, at 0."""


class ZeroConv2d(_Zero, nn.Conv2d):
    """A convolution of images that starts, and is reset, at 0."""
