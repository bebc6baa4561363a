"""How two sides relate, as far as may be seen: the classes that their labels name, and how far their rows are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dareps.transfer.routes import Answer

if TYPE_CHECKING:
    import numpy as np

SHARED: Final = 0.75
"""Least share of classes in common for two label lists to be one question: a class that happens to be missing on one
side leaves a question what it was, while halves that have nothing in common make two of it."""
DISTANT: Final = 0.3
"""Proxy A-distance from which on rows are of different domains: a linear classifier then errs in less than 42.5 % of
the rows it has not seen. With 250 rows a side, halves of one domain come to 0.3 about once in a thousand times."""
SIGNIFICANT: Final = 0.01
"""Level at which the MMD's permutation test makes domains different: it sees what no linear classifier does."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What may be known of a task's classes on both sides.

    Attributes:
        task: Its name.
        declared: How many classes the dataset declares; 0 for other tasks than of classes.
        source: Classes of which the source has labelled rows.
        target: Those of which the target has rows whose labels are declared; None where no label of it is.
    """

    task: str
    declared: int
    source: frozenset[int]
    target: frozenset[int] | None = None

    @property
    def expected(self) -> frozenset[int]:
        """Classes that the target may be taken to have: those seen there, else all that are declared."""
        return frozenset(range(self.declared)) if self.target is None else self.target

    @property
    def share(self) -> float:
        """Share of the classes of either side that both have; 1 for tasks without classes."""
        if not self.declared:
            return 1.0
        either = self.source | self.expected
        return len(self.source & self.expected) / len(either) if either else 0.0

    @property
    def answer(self) -> Answer:
        """Whether both sides are asked the same."""
        return "same" if self.share >= SHARED else "different"


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two samples are apart.

    Attributes:
        proxy: Proxy A-distance, 0 to 2.
        mmd: Squared maximum mean discrepancy, biased.
        p: How often a random division of the pooled rows has an MMD at least as large.
        rows: Rows of either side that were looked at.
        width: Numbers per row, after what is said in `dareps.suite.distances`.
    """

    proxy: float
    mmd: float
    p: float
    rows: tuple[int, int]
    width: int

    @property
    def answer(self) -> Answer:
        """Whether the rows are of one domain."""
        return "different" if self.proxy >= DISTANT or self.p <= SIGNIFICANT else "same"


def finer(coarse: np.ndarray, fine: np.ndarray) -> bool:
    """Whether classes (n,) divide others (n,) further: each lies in one of them, and one at least is divided.

    Missing classes are below 0; rows that lack either are left out.
    """
    import numpy as np

    known = (coarse >= 0) & (fine >= 0)
    if not known.any():
        return False
    pairs = np.unique(np.stack([fine[known], coarse[known]]), axis=1)
    classes = len(np.unique(pairs[0]))
    return len(pairs[0]) == classes > len(np.unique(pairs[1]))
