"""The embedded benchmark of shifts: tables of numbers of which every kind of shift is dialled and every limit known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dareps.data._base import Dataset, DomainRows, Fitted, Origin
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np

    from dareps.data._tables import Process


class Tables(Dataset):
    """Tables of ten columns with one task, `kind` (three classes), whose target differs by four dials, 0 for none.

    Coordinates z of a row with kind y in {0, 1, 2}, s = noise and t_k = 2 pi k / 3 + (pi / 6) z_0:

        z_0 ~ N(m, 1),  (z_1, z_2) ~ N(2 (cos t_y, sin t_y), s^2 I),  z_3, ..., z_9 ~ N(0, 1/4),  x = Q z,

    with a fixed orthogonal Q: three clusters on a ring that turns along z_0, in all columns at once. By Bayes' rule

        P(y | x) = softmax_k(log p_k + 2 (z_1 cos t_k + z_2 sin t_k) / s^2).

    In the source m = 0 and p = (1/3, 1/3, 1/3). In the target:

    - `covariate`: m = 2.5 covariate. P(x) moves to where the source has few rows, P(y | x) is as it was.
    - `label`: p moves to (0.75, 0.2, 0.05). P(x | y) is as it was.
    - `conditional`: kind k is called k + 1 (mod 3) where z_6 is in the lowest share `conditional` of its values. P(x)
      is as it was, so that without a label of the target nothing tells this shift from none.
    - `subspace`: x = A x_source + b, where A turns the plane of the ring by 75 degrees into nuisance coordinates and b
      moves another one by 1. Features of the planes half way have one distribution in both domains.

    Several dials act together in this order. The best possible accuracy on the target is known exactly, as is what the
    best rule of the source reaches there (`best_scores`; `dareps data check tables` prints them). At the default noise
    they are 0.926 and 0.926 without a shift and under full covariate shift, 0.953 and 0.926 under full label shift,
    0.926 and 0.037 under full conditional shift, and 0.926 and 0.678 under full subspace shift, where the rule of the
    planes half way reaches 0.907.

    `source2` is a second collection of the source's distribution, and so is `target` with all dials at 0. There are
    official test rows. Network input: all columns standardised over the train rows of all domains, without labels.
    """

    domains = ("source", "target", "source2")
    tasks = (Task("kind", "classification", 3),)
    embedded = True
    origin = Origin("drawn by dareps", "MIT, as dareps", "none: this benchmark is the package's own")
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "mlp", "width": 64, "depth": 2, "norm": True},
        "normalise": "joint",
        "steps": 600,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.002},
    }

    rows_per_domain: int = Field(1500, ge=30)
    """Training rows, validation included, of each domain."""
    test_rows: int = Field(3000, ge=30)
    """Official test rows of each domain."""
    noise: float = Field(1.0, ge=0.2, le=20)
    """Standard deviation within a kind, whose mean is 2 from the centre of the ring."""
    covariate: float = Field(0.0, ge=0, le=1)
    """How far the target's rows move, under the same rule of labels."""
    label: float = Field(0.0, ge=0, le=1)
    """How far the target's proportions of kinds are from thirds."""
    conditional: float = Field(0.0, ge=0, le=1)
    """Share of the target's rows whose kinds have other names."""
    subspace: float = Field(0.0, ge=0, le=1)
    """How far the target's columns are turned and moved."""

    def rows(self, domain: str) -> DomainRows:
        """Columns (n, 10) float32, rounded to three decimals, and kinds (n,), with the official test rows."""
        import numpy as np

        process, counts = self.process(domain), {"train": self.rows_per_domain, "test": self.test_rows}
        # Rounding leaves the same numbers on every machine, and of what a row tells all but nothing.
        (x, y), (test_x, test_y) = (process.draw(count, domain, part) for part, count in counts.items())
        x, test_x = (np.round(own, 3).astype(np.float32) for own in (x, test_x))
        return DomainRows(x, {"kind": y}, test_x, {"kind": test_y})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Mean and deviation of each column over the train rows of all domains."""
        from dareps.data._columns import fit_columns

        return fit_columns(f"data {self.name}", [*(rows.x for rows in source.values()), *target_x.values()])

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        from dareps.data._columns import restore_columns

        return restore_columns(f"data {self.name}", state)

    def best_scores(self) -> dict[str, float]:
        """What no model can beat in expectation, and what the best rule of the source reaches on the target."""
        source, target = self.process("source"), self.process("target")
        return {
            "accuracy on source": source.best(),
            "accuracy on target": target.best(),
            "accuracy on target of the source's best rule": target.source_rule(),
        }

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' rows and labels."""
        from dareps.data._roots import digest_of

        return digest_of(*(array for domain in domains for array in self.rows(domain).arrays()))

    def process(self, domain: str) -> Process:
        """The distribution of a domain: exact chances of kinds given rows, and the best scores."""
        from dareps.data._tables import Process

        if domain != "target":
            return Process(self.noise)
        return Process(self.noise, self.covariate, self.label, self.conditional, self.subspace)
