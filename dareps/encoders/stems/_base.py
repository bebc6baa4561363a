"""The stem family: how rows of one modality enter an encoder that was made for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.encoders._shapes import Shape
from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    from torch import nn


class Stem(Plugin, family="stem"):
    """Maps rows (n, *form) of a domain to the form (n, *to) that the encoder reads, that of the first source."""

    default = "linear"

    def build(self, form: Shape, to: Shape) -> nn.Module:
        """The module for one domain.

        Raises:
            ConfigError: It cannot read such rows.
        """
        raise ContractError(f"stem {type(self).name}", "it has no build()", fix="Define build(form, to).")
