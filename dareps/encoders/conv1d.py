"""A small convolutional network for series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt, Strict, ValidationInfo, field_validator

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from dareps.encoders._stages import Stages

WHERE = "encoder conv1d"
Sizes = Annotated[tuple[PositiveInt, ...], Strict(False), Field(min_length=1)]


class Conv1d(Encoder):
    """Blocks of convolution along time, pooling, normalisation and ReLU, then the mean over time and a dense stage.

    Fully convolutional up to the mean, as in Wang et al., Time Series Classification from Scratch with Deep Neural
    Networks, IJCNN 2017, section II-B; with pooling, which halves the length in every block.
    """

    name = "conv1d"
    channels: Sizes = (16, 32, 32)
    """Of each block's convolution."""
    kernels: Sizes = (7, 5, 3)
    """Times that each block's convolution sees at once; one number for all blocks, or one for each."""
    width: int = Field(64, gt=0)
    """Features that heads and alignments read."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """Of the dense stage, whose output is the features."""
    norm: bool = True
    """Batch normalisation after every layer, by the recipe's `normalise`."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the features dropped in training."""

    @field_validator("kernels")
    @classmethod
    def _for_each_block(cls, kernels: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        """Refuse another number of kernels than of blocks."""
        blocks = len(info.data.get("channels", kernels))
        if len(kernels) not in (1, blocks):
            raise ValueError(f"give one kernel, or {blocks} as there are channels, and not {len(kernels)}")
        return kernels

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `conv1`, `conv2`, ..., `dense`.

        Raises:
            ConfigError: The inputs are no series, or too short for so many blocks.
        """
        from torch import nn

        from dareps.encoders._series import Mean, check_series, convolution1d
        from dareps.encoders._stages import Stages, dense

        check_series(WHERE, shape)
        self._check_length(shape)
        layer = norm if self.norm else None
        stages: dict[str, nn.Module] = {}
        inputs = shape[0]
        for number, (width, kernel) in enumerate(zip(self.channels, self._kernels(), strict=True), start=1):
            stages[f"conv{number}"] = convolution1d(inputs, width, kernel, layer)
            inputs = width
        stages["dense"] = nn.Sequential(Mean(), *dense(inputs, self.width, self.activation, layer, self.dropout))
        return Stages(WHERE, shape, stages)

    def _kernels(self) -> tuple[int, ...]:
        return self.kernels if len(self.kernels) > 1 else self.kernels * len(self.channels)

    def _check_length(self, shape: Shape) -> None:
        """Refuse series of which nothing is left after the blocks."""
        length = shape[1]
        for kernel in self._kernels():
            length = (length + 2 * (kernel // 2) - kernel + 1) // 2
        if length < 1:
            what = f"the series are too short for {len(self.channels)} blocks, each of which halves them"
            raise ConfigError(WHERE, what, shape, "Give fewer encoder.channels and encoder.kernels.")
