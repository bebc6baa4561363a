"""`dareps data list | get | check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dareps.commands._output import columns, console, enumerated
from dareps.data.catalogue import check, datasets_table, get

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def listed() -> Iterator[str]:
    """Every dataset: whether it is there, where it comes from, under which terms."""
    for entry in datasets_table():
        yield f"{entry.name} ({entry.state})"
        rows = [("domains", enumerated(entry.domains)), ("origin", entry.origin), ("licence", entry.licence)]
        if entry.where:
            rows.append(("missing" if entry.state == "missing" else "where", entry.where))
        yield from columns(rows, indent="  ")
        if entry.state == "missing":
            yield f"  get it: dareps data get {entry.name}"
        yield ""


def fetched(name: str) -> list[str]:
    """Download a dataset with a bar per file; returns what was done."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    screen = console(stderr=True)
    parts = (TextColumn("{task.description}", markup=False), BarColumn(30), DownloadColumn(), TimeRemainingColumn())
    with Progress(*parts, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        return get(name, _Bars(progress))


def checked(name: str) -> list[str]:
    """Read a dataset whole; returns the findings."""
    return check(name)


class _Bars:
    """A bar per address."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.tasks = progress, dict[str, "TaskID"]()

    def __call__(self, url: str, done: int, total: int) -> None:
        if url not in self.tasks:
            self.tasks[url] = self.progress.add_task(url.rpartition("/")[2])
        self.progress.update(self.tasks[url], completed=done, total=total or None)
