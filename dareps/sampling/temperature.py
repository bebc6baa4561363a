"""Tasks by a power of how many labels they have."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from dareps.sampling._base import Moment, Weighted, power


class Temperature(Weighted):
    """One task a step, drawn with probability in proportion to n_t^(1 / tau), n_t the labelled rows of task t.

    tau = 1 is `proportional`; a large tau draws all tasks alike (Arivazhagan et al., arXiv 1907.05019).
    """

    tau: float = Field(5.0, ge=1)
    """Temperature."""

    def weights(self, rows: Mapping[str, int], at: Moment) -> list[float]:
        """n_t^(1 / tau)."""
        return power(rows, 1 / self.tau)
