"""A multi-layer perceptron for tables, which learns a vector for each category."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, PositiveInt, Strict

from dareps.encoders._shapes import Norm, Shape
from dareps.encoders.mlp import MLP
from dareps.errors import ConfigError
from dareps.plugin import Many

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages

WHERE = "encoder table"
Place = Annotated[int, Field(ge=0)]


class Table(MLP):
    """`mlp` behind learned vectors for the categories of a table (entity embeddings: Guo & Berkhahn, 2016).

    A category column comes as a block of places of which at most one is 1. Its block is replaced by the vector of the
    category, x_block W with W (places, width) learned; numbers go in as they are. Where no place is 1, the vector is 0.
    Without category columns it is `mlp`, with the same weights. On the blocks themselves the first layer of `mlp` can
    do whatever it can do on vectors: these are for many categories, and to be shared, frozen or taken elsewhere.
    """

    embedding: int | None = Field(None, gt=0)
    """Numbers that stand for a category; open means min(50, (places + 1) // 2) by the places of its column."""
    blocks: Many[Annotated[tuple[Place, PositiveInt], Strict(False)]] | None = None
    """First place and number of places of each category column in the row; open means as the dataset says."""

    def laid_out(self, layout: Sequence[tuple[int, int]]) -> Self:
        """Itself with the dataset's category columns, where they are open."""
        return self if self.blocks is not None or not layout else self.model_copy(update={"blocks": tuple(layout)})

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages `input` (vectors in the place of categories), `layer1`, ..., each of the set width."""
        from dareps.encoders._stages import Stages, flat
        from dareps.encoders._table import Embedded

        if not self.blocks:
            return super().build(shape, norm)
        self._check(flat(shape))
        first = Embedded(flat(shape), self.blocks, self.embedding)
        return Stages(WHERE, shape, {"input": first, **self.layers(first.width, norm)})

    def _check(self, length: int) -> None:
        """Refuse blocks that overlap or are not in the row."""
        ends = [(0, 0), *(self.blocks or ()), (length, 0)]
        if any(start + size > after for (start, size), (after, _) in pairwise(ends)):
            what = f"these category columns do not lie one behind the other in a row of {length} values"
            raise ConfigError(WHERE, what, list(self.blocks or ()), "Leave encoder.blocks to the dataset.")
