"""A linear projection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages


class Linear(Encoder):
    """One linear layer without activation: features = W x + b."""

    width: int = Field(64, gt=0)
    """Features that heads and alignments read."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `input` and `projection`."""
        from torch import nn

        from dareps.encoders._stages import Stages, flat

        stages = {"input": nn.Flatten(), "projection": nn.Linear(flat(shape), self.width)}
        return Stages("encoder linear", shape, stages)
