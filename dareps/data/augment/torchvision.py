"""Any random transform of torchvision's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from dareps.data._base import Augmentation
from dareps.errors import ContractError

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class Torchvision(Augmentation):
    """A transform of `torchvision.transforms.v2` on the rows' device: RandAugment, GaussianBlur and so on.

    Each image gets draws of its own, from a generator that is set by (seed, step, place, row) and put back afterwards:
    so runs repeat themselves. The price is a look at the host in every step: seeds are trained one by one and steps are
    not captured. `flip`, `resized_crop`, `color_jitter`, `crop`, `affine` and `erasing` do without it.
    """

    name = "torchvision"
    host = True
    transform: str = Field("RandAugment", min_length=1)
    """Name of the class in torchvision.transforms.v2."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What it is called with, by name."""

    def __hash__(self) -> int:
        """Equal settings have equal hashes, also those with a mapping among them."""
        return hash(self.model_dump_json())

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Changed images (n, c, h', w'), dtype as x (n, c, h, w), pixels from 0 to 1."""
        from dareps.data.augment._pixels import need_images
        from dareps.data.augment._torchvision import changed, made

        need_images(self.name, x)
        draws = (noise.uniform(f"{place}/generator", (x.shape[0],)).double() * 2**24).long()
        try:
            seeds = draws.tolist()
        except RuntimeError:  # Stacked seeds have no values that the host could read.
            what = "the augmentation torchvision sets generators on the host"
            raise ContractError("engine.stack", what, fix="Train with engine.stack=false.") from None
        return changed(made(self.transform, self.arguments), x, seeds)
