"""A joined representation of several views of the same thing, each with an encoder of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt, Strict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from dareps.encoders._base import Encoder
from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError
from dareps.plugin import Many, Settings

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages

WHERE = "encoder two_view"


class View(Settings):
    """A part of the input row and what reads it."""

    shape: Annotated[tuple[PositiveInt, ...], Strict(False), Field(min_length=1)]
    """Of the view; its values lie one behind the other in the row."""
    encoder: Encoder
    """The network that makes the view's features."""


class TwoView(Encoder):
    """Two or more views of one thing, flattened one behind the other: z = dense(join of f_v(x_v) over views v).

    `concat` puts the features of the views side by side; `sum` adds them, for which all have the same width.
    """

    name = "two_view"
    views: Annotated[Many[View], Field(min_length=2)]
    """Shape and encoder of each view, in the row's order."""
    join: Literal["concat", "sum"] = "concat"
    """How the features of the views become one row."""
    width: int = Field(64, gt=0)
    """Features that heads and alignments read."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """Of the joint stage, whose output is the features."""
    norm: bool = False
    """Batch normalisation of the joint stage, by the recipe's `normalise`; each view's encoder has its own setting."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the joint features dropped in training."""
    use: Many[int] = ()
    """Numbers, from 0, of the views that are read; none named means all. The others are left out of the network."""

    @field_validator("use")
    @classmethod
    def _there(cls, use: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        """Refuse views that there are not and views that are named twice."""
        count = len(info.data.get("views", use))
        if len(set(use)) < len(use) or not set(use) <= set(range(count)):
            what = f"name each view once, by a number from 0 to {count - 1}"
            raise PydanticCustomError("use", "{what}", {"what": what})
        return use

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `views` (every view's features) and `joint` (a dense layer)."""
        from dareps.encoders._stages import Stages, dense
        from dareps.encoders._views import Views

        self._check(shape)
        views = Views(self._places(norm), added=self.join == "sum")
        joint = dense(views.width, self.width, self.activation, norm if self.norm else None, self.dropout)
        return Stages(WHERE, shape, {"views": views, "joint": joint})

    def _check(self, shape: Shape) -> None:
        """Refuse inputs whose values are not those of the views."""
        sizes = [math.prod(view.shape) for view in self.views]
        if sum(sizes) != math.prod(shape):
            what = f"the views hold {' + '.join(map(str, sizes))} = {sum(sizes)} values, the input another number"
            raise ConfigError(WHERE, what, shape, "Set encoder.views.*.shape to the parts of the input's row.")

    def _places(self, norm: Norm) -> dict[int, tuple[int, Shape, Stages]]:
        """Number of each view that is read -> where it starts in the row, its shape, its network."""
        places, start = {}, 0
        for number, view in enumerate(self.views):
            if number in self.use or not self.use:
                places[number] = (start, view.shape, view.encoder.build(view.shape, norm))
            start += math.prod(view.shape)
        widths = {number: stages.features for number, (_, _, stages) in places.items()}
        if self.join == "sum" and len(set(widths.values())) > 1:
            fix = "Give their encoders one width, or set encoder.join=concat."
            raise ConfigError(WHERE, "features of different widths cannot be added", list(widths.values()), fix)
        return places
