"""Hard parameter sharing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from dareps.sharing._base import Blueprint, Limit, SharingScheme

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule


class Hard(SharingScheme):
    """One encoder shared by all tasks and domains; heads belong to tasks (Caruana, Machine Learning 28, 1997)."""

    @property
    def isolated(self) -> bool:
        """Nothing is private, so nothing private moves."""
        return True

    def limits(self) -> Mapping[Limit, Self]:
        """Itself."""
        return {"hard": self}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """One encoder."""
        from dareps.sharing._modules import HardSharing

        return HardSharing(blueprint.make_encoder())
