"""All tasks in every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from dareps.sampling._base import Moment, TaskSampler


class Joint(TaskSampler):
    """Every step trains every task."""

    alike: ClassVar[bool] = True
    alternates: ClassVar[bool] = False

    def choose(self, rows: Mapping[str, int], at: Moment) -> tuple[str, ...]:
        """All of them."""
        return tuple(rows)
