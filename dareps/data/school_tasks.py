"""The School data as 139 tasks on one table of pupils."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dareps.data._base import DomainRows
from dareps.data.school import NAMES, Schools
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np


VALIDATION: Final = 0.2
"""Share of each school's train pupils."""


class SchoolTasks(Schools):
    """Exam scores of 15362 pupils in 139 schools, a task each (`s001` to `s139`), in one domain `ilea`.

    Every pupil has the label of one task, that of the own school, and NaN for the others. The rows are those of
    `school`, where schools are domains of one task and share a head; here every school has a head of its own. A fifth
    of each school's train pupils are the validation rows of every seed, since a cut of all pupils alike would leave
    small schools without any.
    """

    domains = ("ilea",)
    tasks = tuple(Task(name, "regression", 1) for name in NAMES)
    defaults: ClassVar[Mapping[str, Any]] = {**Schools.defaults, "steps": 2000, "batch": 512}

    def rows(self, domain: str) -> DomainRows:
        """Columns (n, 28) of all train pupils and 139 lists of scores (n,), and of all test pupils likewise."""
        import numpy as np

        from dareps.data._school import cut

        x, y, test_x, test_y = zip(*(self.pupils(number) for number in range(len(NAMES))), strict=True)
        held = [cut(len(own), VALIDATION, self.draw, number, "validation")[1] for number, own in enumerate(y)]
        starts = np.cumsum([0, *map(len, y[:-1])])
        validation = np.concatenate([own + start for own, start in zip(held, starts, strict=True)])
        return DomainRows(np.concatenate(x), _own(y), np.concatenate(test_x), _own(test_y), validation)


def _own(scores: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Scores of each school in the rows of its pupils, NaN in all others."""
    import numpy as np

    school, values = np.repeat(np.arange(len(scores)), [len(own) for own in scores]), np.concatenate(scores)
    return {name: np.where(school == number, values, np.nan) for number, name in enumerate(NAMES)}
