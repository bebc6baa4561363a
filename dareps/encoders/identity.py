"""No encoder at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages


class Identity(Encoder):
    """The flattened input itself, for linear models on features."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """One stage without parameters."""
        from torch import nn

        from dareps.encoders._stages import Stages

        return Stages("encoder identity", shape, {"input": nn.Flatten()})
