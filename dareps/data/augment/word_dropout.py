"""Random removal of words from bags of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.data._base import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import NoiseSource


class WordDropout(Augmentation):
    """Set each feature of each row to 0 with probability p (Iyyer et al., ACL 2015, section 4); no rescaling."""

    p: float = Field(0.1, ge=0, lt=1)
    """Probability of dropping a feature."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Rows with features removed, same shape and dtype as x (n, *shape)."""
        return x * (noise.uniform(f"{place}/words", tuple(x.shape)) >= self.p).to(x.dtype)
