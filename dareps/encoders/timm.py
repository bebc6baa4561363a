"""Networks of the timm package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape
from dareps.encoders._weights import as_file, check_images

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.encoders._stages import Stages


class Timm(Encoder):
    """A network of timm (pip install "dareps[timm]") whose parts run one after the other, as residual networks do.

    Stages are these parts under timm's names. Batch normalisation follows the recipe's `normalise`. A network that is
    no chain of its parts, such as most transformers, is refused.
    """

    name = "timm"
    model: str = Field("resnet18", min_length=1)
    """Name of the network in timm."""
    weights: str | None = Field(None, min_length=1)
    """Weights to start from: a tag of timm's such as `a1_in1k`, or a file; none are drawn anew."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages named as timm names the network's parts."""
        from dareps.encoders._chains import timm_stages
        from dareps.encoders._stages import Stages

        where = f"encoder {self.name}"
        check_images(where, shape)
        return Stages(where, shape, timm_stages(self.model, shape, norm))

    def own_file(self) -> Path | None:
        """The file in `weights`."""
        return as_file(self.weights)

    def fetched(self) -> Path | Mapping[str, Tensor] | None:
        """The weights, downloaded by timm where they are not in its cache."""
        from dareps.encoders._chains import timm_weights

        own = self.own_file()
        return own if own is not None or self.weights is None else timm_weights(self.model, self.weights)
