"""What the regularisers of weights have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.plugin import Strength
from dareps.transfer._regulariser import TUNED, Regulariser


class HeldWeights(Regulariser, abstract=True):
    """A pull on the encoder's weights, and one on those of heads."""

    weight: Annotated[Strength, TUNED] = 0.01
    """Weight of the encoder's part; `inf`, with `map: proximal` alone, keeps it as it is."""
    heads: Annotated[float, TUNED] = Field(0.01, ge=0)
    """Weight of the heads' part."""
    map: Literal["penalty", "proximal"] = "penalty"
    """Whether the pull is part of the objective, or a step of its own after the optimizer's."""

    @model_validator(mode="after")
    def _has_a_penalty(self) -> HeldWeights:
        """Refuse an infinite penalty."""
        if self.weight == "inf" and self.map == "penalty":
            fix = "Set map: proximal, or a number."
            raise PydanticCustomError("infinite", "a penalty cannot have an infinite weight. {fix}", {"fix": fix})
        return self

    def terms(self) -> Mapping[str, float]:
        """Both parts, where they are penalties, and not those of weight 0."""
        weights = {type(self).name: self.weight, f"{type(self).name}.heads": self.heads}
        found = {name: own for name, own in weights.items() if isinstance(own, float) and own > 0}
        return found if self.map == "penalty" else {}
