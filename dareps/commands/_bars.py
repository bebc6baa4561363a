"""Progress on a terminal; nothing where output goes to a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dareps.commands._output import console, duration, note, waited

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dareps.engine.progress import Report
    from dareps.suite.bench import Notice

SHOWN_LOSSES = 4
_NOT_LOSSES = ("score.", "features.", "target.", "source.", "source_accuracy")


def losses_text(values: Mapping[str, float]) -> str:
    """The first losses by part on one line."""
    losses = [(name, value) for name, value in values.items() if not name.startswith(_NOT_LOSSES)]
    return "  ".join(f"{name} {value:.4f}" for name, value in losses[:SHOWN_LOSSES])


@contextmanager
def bar(unit: str) -> Iterator[Progress]:
    """A live line: share done, time gone and left, and what is happening; wiped at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    screen = console(stderr=True)
    count = [MofNCompleteColumn()] if unit == "steps" else [TextColumn("{task.percentage:>3.0f}%", markup=False)]
    texts = [TextColumn("{task.description}", markup=False), BarColumn(30), *count, TextColumn(unit if unit else "")]
    times = [TimeElapsedColumn(), TextColumn("left"), TimeLeft(), TextColumn("{task.fields[text]}", markup=False)]
    # The speed of long ago counts too, since runs of a suite differ in length.
    shown = {"console": screen, "transient": True, "disable": not screen.is_terminal}
    with Progress(*texts, *times, speed_estimate_period=600.0, **shown) as progress:  # type: ignore[arg-type]
        yield progress


@dataclass(slots=True)
class RunBar:
    """The bar of one run."""

    progress: Progress
    task: TaskID

    def __call__(self, report: Report) -> None:
        """Show where training stands."""
        values = next(iter(report.values.values()), {})
        total = report.total or None
        self.progress.update(self.task, completed=report.step, total=total, text=losses_text(values))


@dataclass(slots=True)
class SuiteBar:
    """The bar of a suite, in runs and shares of runs, and a line per finished run.

    Attributes:
        total: Runs to do.
        failures: `label: error` of every run that failed.
    """

    progress: Progress
    task: TaskID
    total: int
    done: int = 0
    failures: list[str] = field(default_factory=list)
    active: dict[int, tuple[float, str]] = field(default_factory=dict)

    def __call__(self, notice: Notice) -> None:
        """Take in what happened."""
        if notice.kind in ("started", "progress"):
            self.active[notice.job] = (notice.share * notice.runs, notice.label)
        elif notice.kind in ("retry", "warning"):
            self._line(f"{notice.label}: {notice.text}")
        else:
            self._finished(notice)
        self._draw()

    def _finished(self, notice: Notice) -> None:
        self.active.pop(notice.job, None)
        self.done += 1
        if notice.kind == "failed":
            self.failures.append(f"{notice.label}: {notice.text}")
        ending = f": {notice.text}" if notice.text else ""
        took = f"{duration(notice.seconds)}{waited(notice.waiting)}"
        self._line(f"[{self.done}/{self.total}] {notice.kind} {notice.label} ({took}){ending}")

    def _line(self, text: str) -> None:
        if self.progress.disable:
            note(text)
        elif not text.startswith("[") or "] failed " in text:
            self.progress.console.print(text, soft_wrap=True)

    def _draw(self) -> None:
        share = sum(share for share, _ in self.active.values())
        names = ", ".join(label for _, label in self.active.values())
        text = f"{self.done} of {self.total} runs; now {names}" if names else f"{self.done} of {self.total} runs"
        self.progress.update(self.task, completed=self.done + share, text=text)
