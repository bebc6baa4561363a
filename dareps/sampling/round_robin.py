"""Tasks in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from dareps.sampling._base import Moment, TaskSampler


class RoundRobin(TaskSampler):
    """One task a step, in the order of the tasks, over and over."""

    alike: ClassVar[bool] = True

    def choose(self, rows: Mapping[str, int], at: Moment) -> tuple[str, ...]:
        """Task number step modulo T."""
        return (list(rows)[at.step % len(rows)],)
