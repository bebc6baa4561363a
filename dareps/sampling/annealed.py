"""Tasks by how many labels they have at first, and more alike towards the end."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from dareps.sampling._base import Moment, Weighted, power


class Annealed(Weighted):
    """One task a step, drawn with probability in proportion to n_t^a, a falling from 1 to `last` over the phase.

    a = 1 - (1 - last) progress, n_t the labelled rows of task t (Stickland & Murray, ICML 2019, where a falls
    once an epoch from 1 to 0.2).
    """

    last: float = Field(0.2, ge=0, le=1)
    """The exponent at the end of the phase."""

    def weights(self, rows: Mapping[str, int], at: Moment) -> list[float]:
        """n_t^a."""
        return power(rows, 1 - (1 - self.last) * at.progress)
