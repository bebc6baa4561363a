"""The School data of the multi-task literature: exam scores in 139 schools, as one domain each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from dareps.data._base import Dataset, DomainRows, Fitted, Origin, RemoteFile
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np

NAMES: Final = tuple(f"s{number:03d}" for number in range(1, 140))
_URL = "https://raw.githubusercontent.com/jiayuzhou/MALSAR/fb9751594983df020ddc4f7e4a40520ee7c37989/data/school.mat"
_SHA256 = "sha256:57fb3238fdd03a9aa17276e2ce18d9bbb5d128c3261e794fe6233b58b6909068"


class Schools(Dataset, abstract=True):
    """What both forms of the data share: the file, the split and the columns."""

    files = (RemoteFile(_URL, "school/school.mat", _SHA256, _SHA256),)
    origin = Origin(
        "Inner London Education Authority, pupils of 1985 to 1987; file published with MALSAR by J. Zhou",
        "none stated; for research",
        "Nuttall et al., Int. J. Educational Research 13, 1989; Bakker & Heskes, JMLR 4, 2003",
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "mlp", "width": 32},
        "normalise": "joint",
        "steps": 1000,
        "batch": 32,
        "optimizer": {"name": "adam", "lr": 0.002, "weight_decay": 0.001},
    }

    draw: int = Field(0, ge=0)
    """Which random cut into train and test pupils; papers average over ten."""
    test_share: float = Field(0.25, gt=0, lt=1)
    """Share of each school's pupils that are test pupils."""

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Mean and deviation of each column over the train rows of all domains."""
        from dareps.data._columns import fit_columns

        return fit_columns(f"data {self.name}", [*(rows.x for rows in source.values()), *target_x.values()])

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        from dareps.data._columns import restore_columns

        return restore_columns(f"data {self.name}", state)

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the whole file: it has no parts."""
        from dareps.data._school import checksum

        return checksum(self.name)

    def pupils(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Columns and scores of a school's train pupils, then of its test pupils; schools count from 0."""
        from dareps.data._school import cut, schools

        x, y = schools(self.name)[number]
        train, test = cut(len(y), self.test_share, self.draw, number)
        return x[train], y[train], x[test], y[test]


class School(Schools):
    """Exam scores (1 to 70) of 15362 pupils in 139 schools, a domain each: one task, `score`, by regression.

    28 columns: year, gender, verbal reasoning band and ethnic group of the pupil, and what is known of the school, as
    dummies and percentages, standardised over all train rows. Each school keeps a random quarter of its pupils for the
    test, as the multi-task literature does (Argyriou, Evgeniou & Pontil, Machine Learning 73, 2008), whose
    measure is the percentage of explained variance over all test pupils together, R2 on the pooled rows. Schools have
    22 to 251 pupils. `school_tasks` has the same rows with a task, and so a head, per school.
    """

    domains = NAMES
    tasks = (Task("score", "regression", 1),)

    def rows(self, domain: str) -> DomainRows:
        """Columns (n, 28) and scores (n,) of a school's train pupils, and of its test pupils."""
        x, y, test_x, test_y = self.pupils(NAMES.index(domain))
        return DomainRows(x, {"score": y}, test_x, {"score": test_y})
