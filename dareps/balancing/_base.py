"""The balancing family: per-task losses to one update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    from torch import Tensor


class Balancer(Plugin, family="balancer"):
    """Turns task losses into one objective; alignments and penalties keep their own weights."""

    needs_all: ClassVar[bool] = False
    """True when the losses of all tasks have to be there in every step."""

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The objective, 0-d, of task losses, each 0-d."""
        raise ContractError(f"balance {type(self).name}", "it has no __call__", fix="Define __call__(losses).")
