"""Residual networks and vision transformers of torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape
from dareps.encoders._weights import as_file, check_images

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages

Model = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "vit_b_16",
    "vit_b_32",
    "vit_l_16",
    "vit_l_32",
    "vit_h_14",
]


class Torchvision(Encoder):
    """A residual network or a vision transformer.

    He et al., CVPR 2016; Xie et al., CVPR 2017; Zagoruyko & Komodakis, BMVC 2016; Dosovitskiy et al., ICLR 2021.
    Batch normalisation follows the recipe's `normalise`; transformers have none. Images are 32 by 32 pixels or larger,
    and for transformers squares of whole patches; the networks were trained on 224 by 224, scaled to mean 0 and spread
    1 by channel. Features: 512 of resnet18 and resnet34, 2048 of larger ones; 768, 1024, 1280 of transformers b, l, h.
    """

    name = "torchvision"
    model: Model = "resnet18"
    """Which network."""
    weights: str | None = Field(None, min_length=1)
    """Weights to start from: a name of torchvision's such as `IMAGENET1K_V1`, or a file; none are drawn anew."""

    width: int | None = Field(None, gt=0)
    """Features of a further stage `bottleneck`: dense, batch normalisation, activation; open means there is none.

    Published comparisons have one of 256 behind residual networks."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """Of the bottleneck."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.width is None and self.activation != "relu":
            what = "activation: only a bottleneck has one. Set width, for instance to 256."
            raise PydanticCustomError("activation", what)
        return self

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `stem`, `layer1` to `layer4`, `pool`; of transformers `patches`, `block1` ..., `token`."""
        from dareps.encoders._residual import residual_stages
        from dareps.encoders._stages import Stages, dense
        from dareps.encoders._transformer import transformer_stages

        where = f"encoder {self.name}"
        check_images(where, shape)
        stages = transformer_stages(self.model, shape) if self._attends else residual_stages(self.model, shape[0], norm)
        if self.width is not None:
            inputs = Stages(where, shape, stages).features
            stages["bottleneck"] = dense(inputs, self.width, self.activation, norm, 0.0)
        return Stages(where, shape, stages)

    @property
    def _attends(self) -> bool:
        return self.model.startswith("vit")

    def own_file(self) -> Path | None:
        """The file in `weights`."""
        return as_file(self.weights)

    def fetched(self) -> Path | None:
        """The file of the weights, downloaded where it is not in torch's cache."""
        from dareps.encoders._residual import named_weights

        own = self.own_file()
        return own if own is not None or self.weights is None else named_weights(self.model, self.weights)

    def known_as(self) -> Mapping[str, str]:
        """Torchvision's names of what is in the stem, or of all parts of a transformer."""
        if not self._attends:
            return {"conv1": "stem.conv1", "bn1": "stem.bn1"}
        from dareps.encoders._transformer import names_of

        return names_of(self.model)
