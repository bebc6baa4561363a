"""A linear stem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.encoders._shapes import Shape
from dareps.encoders.stems._base import Stem

if TYPE_CHECKING:
    from torch import nn


class LinearStem(Stem):
    """One linear layer: each value that the encoder reads is W x + b of all values of a row."""

    name = "linear"

    def build(self, form: Shape, to: Shape) -> nn.Module:
        """Flatten, project, unfold."""
        from torch import nn

        from dareps.encoders._stages import flat

        return nn.Sequential(nn.Flatten(), nn.Linear(flat(form), flat(to)), nn.Unflatten(1, to))
