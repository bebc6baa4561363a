"""A small convolutional network for images that are trained on from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt, Strict

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from dareps.encoders._stages import Stages

WHERE = "encoder conv2d"


class Conv2d(Encoder):
    """Blocks of convolution, pooling, normalisation and ReLU, then the mean over places and a dense stage.

    Every block halves the sides. The mean makes the dense stage small whatever the size of images, and features do not
    depend on where something stands; `digit_cnn` is for digits, which fill their images.
    """

    name = "conv2d"
    channels: Annotated[tuple[PositiveInt, ...], Strict(False), Field(min_length=1)] = (16, 32, 64, 64)
    """Of each block's convolution."""
    kernel: int = Field(3, gt=0)
    """Side of the convolutions' kernels; zeros around the image keep its size."""
    width: int = Field(128, gt=0)
    """Features that heads and alignments read."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """Of the dense stage, whose output is the features."""
    norm: bool = True
    """Batch normalisation after every layer, by the recipe's `normalise`."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the features dropped in training."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `conv1`, `conv2`, ..., `dense`.

        Raises:
            ConfigError: The inputs are no images, or too small for so many blocks.
        """
        from torch import nn

        from dareps.encoders._stages import Places, Stages, convolution, dense

        self._check(shape)
        layer = norm if self.norm else None
        stages: dict[str, nn.Module] = {}
        inputs = shape[0]
        for number, width in enumerate(self.channels, start=1):
            stages[f"conv{number}"] = convolution(inputs, width, self.kernel, self.kernel // 2, layer)
            inputs = width
        stages["dense"] = nn.Sequential(Places(), *dense(inputs, self.width, self.activation, layer, self.dropout))
        return Stages(WHERE, shape, stages)

    def _check(self, shape: Shape) -> None:
        if len(shape) != 3:
            raise ConfigError(WHERE, "needs images (channels, height, width)", shape, "Use mlp, or conv1d for series.")
        side = min(shape[1:])
        for _ in self.channels:
            side = (side + 2 * (self.kernel // 2) - self.kernel + 1) // 2
        if side < 1:
            what = f"the images are too small for {len(self.channels)} blocks, each of which halves them"
            raise ConfigError(WHERE, what, shape, "Give fewer encoder.channels.")
