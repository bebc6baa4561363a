"""A small transformer for series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationInfo, field_validator

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from dareps.encoders._stages import Stages

WHERE = "encoder series_transformer"


class SeriesTransformer(Encoder):
    """Pieces of the series as vectors, blocks of attention between them, then their mean and a dense stage.

    Vaswani et al., NeurIPS 2017, with normalisation before each part of a block (Xiong et al., ICML 2020). The
    recipe's `normalise` concerns the dense stage; within blocks each vector is normalised by itself.
    """

    patch: int = Field(8, gt=0)
    """Times in a piece."""
    stride: int = Field(4, gt=0)
    """Times from the start of a piece to that of the next; what is left at the end of the series is not read."""
    positions: Literal["learned", "sinusoidal"] = "learned"
    """What tells a piece's place: a learned vector, or given sines and cosines."""
    embedding: int = Field(32, gt=0)
    """Numbers in a piece's vector."""
    heads: int = Field(4, gt=0)
    """Parts of a vector that attend apart."""
    hidden: int = Field(64, gt=0)
    """Units between the two dense layers of a block."""
    depth: int = Field(2, gt=0)
    """Number of blocks."""
    width: int = Field(64, gt=0)
    """Features that heads and alignments read."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """Of the dense stage, whose output is the features."""
    norm: bool = True
    """Batch normalisation in the dense stage, by the recipe's `normalise`."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share dropped in training of what each part of a block adds, and of the features."""

    @field_validator("heads")
    @classmethod
    def _divide(cls, heads: int, info: ValidationInfo) -> int:
        """Refuse heads that do not divide the embedding."""
        embedding = info.data.get("embedding", heads)
        if embedding % heads:
            raise ValueError(f"embedding = {embedding} must be a multiple of it")
        return heads

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `patches`, `block1`, ..., `dense`.

        Raises:
            ConfigError: The inputs are no series, or shorter than a piece.
        """
        from torch import nn

        from dareps.encoders._series import PLACES, Block, NormedMean, check_series
        from dareps.encoders._stages import Stages, dense

        check_series(WHERE, shape)
        channels, length = shape
        if length < self.patch:
            what = f"the series are shorter than a piece of {self.patch}"
            raise ConfigError(WHERE, what, shape, f"Set encoder.patch={length} or less.")
        count = (length - self.patch) // self.stride + 1
        cut = nn.Conv1d(channels, self.embedding, self.patch, stride=self.stride)
        stages: dict[str, nn.Module] = {"patches": nn.Sequential(cut, PLACES[self.positions](count, self.embedding))}
        for number in range(1, self.depth + 1):
            stages[f"block{number}"] = Block(self.embedding, self.heads, self.hidden, self.dropout)
        top = dense(self.embedding, self.width, self.activation, norm if self.norm else None, self.dropout)
        stages["dense"] = nn.Sequential(NormedMean(self.embedding, bias=not self.norm), *top)
        return Stages(WHERE, shape, stages)
