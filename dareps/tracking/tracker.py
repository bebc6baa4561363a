"""What the suite tells a tracker, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class RunInfo:
    """How a run appears to people.

    Attributes:
        id: The run's key; the same key in the same folder continues the same run.
        name: What is shown in lists.
        group: The suite that the run belongs to.
        job_type: The recipe.
        tags: The split, and whatever else is worth filtering by.
        config: The full bound configuration.
    """

    id: str
    name: str
    group: str = ""
    job_type: str = ""
    tags: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    def event(self) -> dict[str, Any]:
        """The same as plain data that crosses process borders."""
        return asdict(self)


class Tracker(Protocol):
    """Follows runs as they train.

    No method may raise for a fault of the tracker's own, nor keep its caller waiting: the store is the truth.
    """

    def start(self, run: RunInfo) -> None:
        """A run begins, or goes on from its checkpoint."""

    def log(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        """Losses, scores and metrics of one step; `step` counts over all phases and never falls within a start."""

    def finish(self, run_id: str, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        """A run has ended, with the figures to show beside its name."""

    def suite(self, info: RunInfo, leaderboard_csv: Path, report_html: Path | None) -> None:
        """The whole suite has ended: its leaderboard and report, on a run of the suite's own."""

    def close(self, timeout: float = 30.0) -> list[str]:
        """Deliver what is left, within `timeout` seconds; returns the warnings to show, a sentence each."""


class NoTracker:
    """Tracks nothing."""

    def start(self, run: RunInfo) -> None:
        """Do nothing."""

    def log(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def finish(self, run_id: str, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        """Do nothing."""

    def suite(self, info: RunInfo, leaderboard_csv: Path, report_html: Path | None) -> None:
        """Do nothing."""

    def close(self, timeout: float = 30.0) -> list[str]:
        """Nothing is left and nothing went wrong."""
        return []
