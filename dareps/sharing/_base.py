"""The sharing family: which parameters tasks or domains have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    from torch import nn

    from dareps.sharing._modules import SharingModule

    MakeEncoder = Callable[[], nn.Module]


class SharingScheme(Plugin, family="sharing"):
    """Maps groups of rows and the branches wanted from them to one representation per (group, branch)."""

    isolated: ClassVar[bool] = False
    """True when a branch's private parameters cannot move in a step in which the branch is absent."""

    def build(self, make_encoder: MakeEncoder, branches: tuple[str, ...]) -> SharingModule:
        """The module that holds the encoders; `make_encoder` gives a fresh one each call."""
        raise ContractError(f"sharing {type(self).name}", "it has no build()", fix="Define build(make_encoder, ...).")
