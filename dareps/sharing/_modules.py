"""Sharing schemes as modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from dareps.types import Representation


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive rows of one domain, and the branches that want a representation of them."""

    rows: int
    domain: str
    branches: tuple[str, ...]


class SharingModule(nn.Module):
    """A built sharing scheme."""

    def forward(self, joined: Tensor, groups: Sequence[Group]) -> list[dict[str, Representation]]:
        """Per group, a representation for each branch it wants; `joined` holds the groups' rows in order."""
        raise NotImplementedError

    def penalty(self) -> Tensor | None:
        """What the scheme adds to the objective, 0-d, or None."""
        return None


class HardSharing(SharingModule):
    """One encoder for all branches.

    Args:
        encoder: The encoder.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, joined: Tensor, groups: Sequence[Group]) -> list[dict[str, Representation]]:
        """One pass over all rows; every branch of a group gets the same representation."""
        features = self.encoder(joined)
        if len(groups) == 1:
            blocks: Sequence[Tensor] = (features,)
        else:
            blocks = features.split([group.rows for group in groups])
        pairs = zip(groups, blocks, strict=True)
        return [dict.fromkeys(group.branches, Representation(task=x, shared=x)) for group, x in pairs]
