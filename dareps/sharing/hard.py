"""Hard parameter sharing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dareps.sharing._base import SharingScheme

if TYPE_CHECKING:
    from dareps.sharing._base import MakeEncoder
    from dareps.sharing._modules import SharingModule


class Hard(SharingScheme):
    """One encoder shared by all tasks and domains; heads belong to tasks (Caruana, Machine Learning 28, 1997)."""

    isolated: ClassVar[bool] = True

    def build(self, make_encoder: MakeEncoder, branches: tuple[str, ...]) -> SharingModule:
        """One encoder."""
        from dareps.sharing._modules import HardSharing

        return HardSharing(make_encoder())
