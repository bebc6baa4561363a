"""The encoder family: ordered stages with declared output shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages


class Encoder(Plugin, family="encoder"):
    """Maps inputs (n, *shape) to features (n, d) through named stages."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """The module for inputs of `shape`; `norm(channels)` makes its normalisation layers."""
        raise ContractError(f"encoder {type(self).name}", "it has no build()", fix="Define build(shape, norm).")
