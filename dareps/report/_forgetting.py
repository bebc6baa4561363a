"""The table of what recipes of several phases forget."""

from __future__ import annotations

from collections.abc import Sequence

from dareps.report._format import NONE, percent, points
from dareps.report._tables import Cell, Row, Table
from dareps.suite.forgetting import Forgetting

COLUMNS = ("recipe", "split", "source task", "when learned", "at the end", "change", "95 % interval", "n")
NOTE = (
    "The main metric on source validation rows, when the phase that learned it had ended and after the last phase, by "
    "the head of then where it was drawn anew since. Change: points, paired by seed."
)


def forgetting_tables(entries: Sequence[Forgetting]) -> list[Table]:
    """One table per dataset."""
    return [
        Table(f"Forgetting: {dataset}", COLUMNS, (tuple(map(_row, group)),), NOTE)
        for dataset in dict.fromkeys(own.dataset for own in entries)
        for group in [[own for own in entries if own.dataset == dataset]]
    ]


def _row(own: Forgetting) -> Row:
    bracket = NONE if own.low is None else f"[{points(own.low)}, {points(own.high)}]"
    figures = (percent(own.before), percent(own.after), points(own.change), bracket, str(own.n))
    return Row(tuple(map(Cell, (own.recipe, own.split, own.task, *figures))))
