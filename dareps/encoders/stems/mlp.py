"""A stem with a hidden layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dareps.encoders._shapes import Shape
from dareps.encoders.stems._base import Stem

if TYPE_CHECKING:
    from torch import nn


class MLPStem(Stem):
    """A hidden layer with activation, and a linear one: V a(W x + b) + c."""

    name = "mlp"
    hidden: int = Field(128, gt=0)
    """Units of the hidden layer."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """Of the hidden layer."""

    def build(self, form: Shape, to: Shape) -> nn.Module:
        """Flatten, hidden layer, project, unfold."""
        from torch import nn

        from dareps.encoders._stages import dense, flat

        first = dense(flat(form), self.hidden, self.activation, None, 0.0)
        return nn.Sequential(nn.Flatten(), *first, nn.Linear(self.hidden, flat(to)), nn.Unflatten(1, to))
