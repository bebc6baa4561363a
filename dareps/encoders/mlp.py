"""A multi-layer perceptron."""

from __future__ import annotations

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

        from dareps.encoders._stages import Stages, dense, flat

        stages: dict[str, nn.Module] = {"input": nn.Flatten()}
        inputs = flat(shape)
        for layer in range(1, self.depth + 1):
            stages[f"layer{layer}"] = dense(
                inputs, self.width, self.activation, norm if self.norm else None, self.dropout
            )
            inputs = self.width
        return Stages("encoder mlp", shape, stages)
