"""The leaderboard as a table for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dareps.report._section import HEADLINE, Section, sections
from dareps.report._tables import COLUMNS, board_table
from dareps.suite.store import Store

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {"bound": "dim", "chosen": "bold cyan", "best": "green"}
_LEFT = ("recipe", "remarks")


def console_leaderboard(folder: Path, *, selection: str = HEADLINE) -> Table:
    """The average over splits of every dataset under one selection rule, bounds set apart.

    Raises:
        ConfigError: `selection` is the oracle.
        StoreError: There are no results in the folder.
    """
    from rich.table import Table

    found = sections(Store(folder, create=False).outcomes(details=False), selection)
    # One table per dataset, each with columns of its own width, in a frame without lines.
    frame = Table.grid(padding=(0, 0, 1, 0))
    for section in found:
        frame.add_row(_table(section))
    if not found:
        frame.add_row("No run has finished yet.")
    return frame


def _table(section: Section) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    splits = section.splits[0] if len(section.splits) == 1 else f"average of {len(section.splits)} splits"
    title = Text(f"{section.name}, {splits}, checkpoints by {section.rule}", style="bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        side: Literal["left", "right"] = "left" if name in _LEFT else "right"
        table.add_column(name, justify=side, no_wrap=name != "remarks")
    for group in board_table(section).groups:
        table.add_section()
        for row in group:
            table.add_row(*(Text(cell.text) for cell in row.cells), style=_STYLES.get(row.role))
    return table
