"""Residual networks of torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape
from dareps.encoders._weights import as_file, check_images

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages

ResNet = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "wide_resnet50_2",
    "wide_resnet101_2",
]


class Torchvision(Encoder):
    """A residual network (He et al., CVPR 2016; Xie et al., CVPR 2017; Zagoruyko & Komodakis, BMVC 2016).

    Normalisation follows the recipe's `normalise`. Images are 32 by 32 pixels or larger; the networks were trained on
    224 by 224, scaled to mean 0 and spread 1 by channel. Features: 512 of resnet18 and resnet34, else 2048.
    """

    name = "torchvision"
    model: ResNet = "resnet18"
    """Which network."""
    weights: str | None = Field(None, min_length=1)
    """Weights to start from: a name of torchvision's such as `IMAGENET1K_V1`, or a file; none are drawn anew."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `stem`, `layer1` to `layer4`, `pool`."""
        from dareps.encoders._residual import residual_stages
        from dareps.encoders._stages import Stages

        where = f"encoder {self.name}"
        check_images(where, shape)
        return Stages(where, shape, residual_stages(self.model, shape[0], norm))

    def own_file(self) -> Path | None:
        """The file in `weights`."""
        return as_file(self.weights)

    def fetched(self) -> Path | None:
        """The file of the weights, downloaded where it is not in torch's cache."""
        from dareps.encoders._residual import named_weights

        own = self.own_file()
        return own if own is not None or self.weights is None else named_weights(self.model, self.weights)

    def known_as(self) -> Mapping[str, str]:
        """Torchvision's names of what is in the stem."""
        return {"conv1": "stem.conv1", "bn1": "stem.bn1"}
