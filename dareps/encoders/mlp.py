"""A multi-layer perceptron."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape

if TYPE_CHECKING:
    from torch import nn

    from dareps.encoders._stages import Stages


class MLP(Encoder):
    """Fully connected layers with activation, optional normalisation and dropout."""

    width: int = Field(50, gt=0)
    """Units of every layer, the last of which gives the features."""
    depth: int = Field(1, gt=0)
    """Number of layers."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """After every layer."""
    norm: bool = False
    """Batch normalisation after every layer, by the recipe's `normalise`."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of every layer's units dropped in training."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `input`, `layer1`, ..., each of the set width."""
        from torch import nn

        from dareps.encoders._stages import Stages, flat

        return Stages("encoder mlp", shape, {"input": nn.Flatten(), **self.layers(flat(shape), norm)})

    def layers(self, inputs: int, norm: Norm) -> dict[str, nn.Module]:
        """Stages `layer1`, ... for rows of `inputs` values."""
        from dareps.encoders._stages import dense

        widths = [inputs, *[self.width] * self.depth]
        layer = norm if self.norm else None
        return {
            f"layer{number}": dense(before, after, self.activation, layer, self.dropout)
            for number, (before, after) in enumerate(pairwise(widths), 1)
        }
