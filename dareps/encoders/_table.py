"""The first stage of tables: what stands for a category is learned, numbers go in as they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Block = tuple[int, int]
"""First place of a category column in the row, and its number of places."""


def usual_width(places: int) -> int:
    """How many numbers stand for a category of a column where nobody says: min(50, (places + 1) // 2)."""
    return min(50, (places + 1) // 2)


class Embedding(nn.Linear):
    """The vectors of a column's categories as a linear map of its block: one place is 1, or none is.

    Entries start as N(0, 1 / width), so that a category is expected to weigh as much as a number of deviation 1; a row
    with nothing in the block, such as one of a category never met, has the vector 0, which is their mean.
    """

    def __init__(self, places: int, width: int) -> None:
        super().__init__(places, width, bias=False)

    def reset_parameters(self) -> None:
        """Draw the vectors."""
        nn.init.normal_(self.weight, std=self.out_features**-0.5)


class Embedded(nn.Module):
    """Rows (n, e) -> (n, d): each block replaced by its category's vector, all other values as they are, in order.

    Args:
        length: Values of a row e.
        blocks: The category columns, none within another, in the order of the row.
        width: Numbers that stand for a category; None for the usual rule.
    """

    def __init__(self, length: int, blocks: Sequence[Block], width: int | None) -> None:
        super().__init__()
        self.blocks = tuple(blocks)
        sizes = [size for _, size in blocks]
        widths = [width or usual_width(size) for size in sizes]
        self.columns = nn.ModuleList([Embedding(*own) for own in zip(sizes, widths, strict=True)])
        self.width = length - sum(sizes) + sum(widths)

    def forward(self, x: Tensor) -> Tensor:
        """The embedded rows."""
        rows, pieces, end = x.flatten(1), list[Tensor](), 0
        for (start, size), column in zip(self.blocks, self.columns, strict=True):
            pieces += [rows[:, end:start], column(rows[:, start : start + size])]
            end = start + size
        return torch.cat([*pieces, rows[:, end:]], dim=1)
