"""Tasks by how many labels they have."""

from __future__ import annotations

from collections.abc import Mapping

from dareps.sampling._base import Moment, Weighted, power


class Proportional(Weighted):
    """One task a step, drawn with probability n_t / sum_u n_u, n_t the labelled rows of task t.

    Sanh et al., AAAI 2019.
    """

    def weights(self, rows: Mapping[str, int], at: Moment) -> list[float]:
        """n_t."""
        return power(rows, 1.0)
