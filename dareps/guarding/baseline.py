"""Scores of tasks trained alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from dareps.errors import ConfigError
from dareps.guarding._base import Guard


class Baseline(Guard):
    """Compares each task with the validation score that a run on this task alone has reached.

    The reference is a finished run's, so that early evaluations are below it whatever sharing does; `after` leaves them
    out. Budget, encoder and data should be those of the run that is guarded: the alarm cannot tell a harmed task from
    one that was given less training.

    Raises:
        ConfigError: A score is missing, or is one of no task.
    """

    scores: dict[str, float] = Field(default_factory=dict)
    """Main metric on source validation rows by task, as in {kind: 0.93, colour: 0.88}."""

    def scores_of(self, tasks: Sequence[str]) -> Mapping[str, float]:
        """The scores, one for every task."""
        for name in self.scores:
            if name not in tasks:
                raise ConfigError("guard.scores", "no task has this name", name, f"Tasks: {', '.join(tasks)}.")
        for name in tasks:
            if name not in self.scores:
                fix = f"Set guard.scores.{name}=SCORE; train with tasks=[{name}] to find it."
                raise ConfigError("guard.scores", "a task has no score to compare with", name, fix)
        return self.scores
