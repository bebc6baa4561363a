"""The School data as 139 tasks on one table of pupils."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.data._base import DomainRows
from dareps.data.school import NAMES, Schools
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np


class SchoolTasks(Schools):
    """Exam scores of 15362 pupils in 139 schools, a task each (`s001` to `s139`), in one domain `ilea`.

    Every pupil has the label of one task, that of the own school, and NaN for the others. The rows are those of
    `school`, where schools are domains of one task and share a head; here every school has a head of its own.
    """

    domains = ("ilea",)
    tasks = tuple(Task(name, "regression", 1) for name in NAMES)

    def rows(self, domain: str) -> DomainRows:
        """Columns (n, 28) of all train pupils and 139 lists of scores (n,), and of all test pupils likewise."""
        import numpy as np

        x, y, test_x, test_y = zip(*(self.pupils(number) for number in range(len(NAMES))), strict=True)
        return DomainRows(np.concatenate(x), _own(y), np.concatenate(test_x), _own(test_y))


def _own(scores: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Scores of each school in the rows of its pupils, NaN in all others."""
    import numpy as np

    school, values = np.repeat(np.arange(len(scores)), [len(own) for own in scores]), np.concatenate(scores)
    return {name: np.where(school == number, values, np.nan) for number, name in enumerate(NAMES)}
