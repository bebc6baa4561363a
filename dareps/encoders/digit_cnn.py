"""The small convolutional network of the digit experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, Strict

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages


class DigitCNN(Encoder):
    """conv5x5 - pool - conv5x5 - pool - dense, after the MNIST network of Ganin et al. (JMLR 2016, figure 4)."""

    name = "digit_cnn"
    channels: Annotated[tuple[int, int], Strict(False)] = (32, 48)
    """Of the two convolutions."""
    width: int = Field(100, gt=0)
    """Features that heads and alignments read."""
    kernel: int = Field(5, gt=0)
    """Side of the convolutions' kernels."""
    padding: int = Field(0, ge=0)
    """Pixels of 0 added on each side before a convolution."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """Of the dense stage, whose output is the features."""
    norm: bool = True
    """Batch normalisation after every layer, by the recipe's `normalise`."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the features dropped in training."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `conv1`, `conv2`, `dense`."""
        from torch import nn

        from dareps.encoders._stages import Stages, convolution, dense

        flat = self._flat(shape)
        first, second = self.channels
        layer = norm if self.norm else None
        stages = {
            "conv1": convolution(shape[0], first, self.kernel, self.padding, layer),
            "conv2": convolution(first, second, self.kernel, self.padding, layer),
            "dense": nn.Sequential(nn.Flatten(), *dense(flat, self.width, self.activation, layer, self.dropout)),
        }
        return Stages("encoder digit_cnn", shape, stages)

    def _flat(self, shape: Shape) -> int:
        """Values per row after both convolutions; refuses inputs that are no images or too small."""
        if len(shape) != 3:
            raise ConfigError("encoder digit_cnn", "needs images (channels, height, width)", shape, "Use mlp.")
        height, width = shape[1:]
        for _ in self.channels:
            height, width = ((side + 2 * self.padding - self.kernel + 1) // 2 for side in (height, width))
        if min(height, width) < 1:
            fix = f"Set encoder.padding={self.kernel // 2}."
            raise ConfigError("encoder digit_cnn", "the images are too small for two convolutions", shape, fix)
        return self.channels[1] * height * width
