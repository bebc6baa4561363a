"""The leaderboard as a table for the terminal, and what to know beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dareps.report._delta import delta_tables
from dareps.report._made import remarks, stale_told
from dareps.report._section import HEADLINE, Section, preferred, sections
from dareps.report._tables import Table as Board
from dareps.report._tables import board_table
from dareps.suite.apart import Comparison, standing
from dareps.suite.delta import delta_board
from dareps.suite.store import Store

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {"bound": "dim", "chosen": "bold cyan", "best": "green", "failed": "red"}
_LEFT = ("recipe", "remarks")
MANY = 8
"""Tables up to which a terminal shows each."""


def console_leaderboard(folder: Path, *, selection: str = HEADLINE) -> Table:
    """The average over splits of every dataset under one selection rule, bounds set apart.

    Raises:
        ConfigError: `selection` is the oracle.
        StoreError: There are no results in the folder.
    """
    from rich.table import Table

    store = Store(folder, create=False)
    outcomes, comparison = standing(store), Comparison.of(store)
    found = sections(outcomes, selection, reference=comparison.reference)
    # One table per dataset, each with columns of its own width, in a frame without lines.
    frame = Table.grid(padding=(0, 0, 1, 0))
    for section in found if len(found) <= MANY else ():
        frame.add_row(_table(section))
    if len(found) > MANY:
        frame.add_row(f"The tables of {len(found)} tasks are in the report.")
    for gains in delta_tables(delta_board(outcomes, comparison.baseline), preferred(selection)):
        if gains.kind == "board":
            frame.add_row(_drawn(gains, gains.title))
    if not found:
        frame.add_row("No run has finished yet.")
    return frame


def console_notes(folder: Path, *, selection: str = HEADLINE) -> list[str]:
    """What the tables alone do not say: uneven comparisons, and the runs that were left out.

    Raises:
        ConfigError: `selection` is the oracle.
        StoreError: There are no results in the folder.
    """
    store = Store(folder, create=False)
    outcomes, stale = standing(store), store.outcomes(stale=True)
    reference = Comparison.of(store).reference
    told = [
        f"{section.name}: {text}"
        for section in sections(outcomes, selection, reference=reference)
        for text in remarks(section)
    ]
    return [*told, left_out] if (left_out := stale_told(stale, outcomes)) else told


def _table(section: Section) -> Table:
    splits = section.splits[0] if len(section.splits) == 1 else f"average of {len(section.splits)} splits"
    return _drawn(board_table(section), f"{section.name}, {splits}, checkpoints by {section.rule}")


def _drawn(board: Board, heading: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(heading, style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    for name in board.columns:
        side: Literal["left", "right"] = "left" if name in _LEFT else "right"
        table.add_column(name, justify=side, no_wrap=name != "remarks")
    for group in board.groups:
        table.add_section()
        for row in group:
            table.add_row(*(Text(cell.text) for cell in row.cells), style=_STYLES.get(row.role))
    return table
