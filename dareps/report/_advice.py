"""Advice on pretrained models in hindsight: a table of cells, what advice cost, and what its scores were worth."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dareps.report._format import NONE, counted, percent, points
from dareps.report._tables import Cell, Row, Table
from dareps.suite.hindsight import CLOSE, SCORES, STRATEGIES, Case, agreements, always, hits
from dareps.suite.statistics import mean

NOTE = (
    "Accuracy of the four strategies on test rows, means over seeds; blue is within a point of the best. Regret is "
    "that of what `dareps route --advise` says of each seed, without test labels: points below the best strategy."
)
RANKS = (
    "Spearman's rank correlation over cells between a score, taken before any strategy was tried, and the accuracy of "
    "the strategy. A distance that predicts well is close to -1."
)


def advice_notes(found: Sequence[Case]) -> list[str]:
    """Sentences on how often advice was right, against always doing the same."""
    if not found:
        return []
    regret = mean(own.regret for own in found)
    best = max(STRATEGIES, key=lambda name: (*_rank(found, name), name))
    count, cost = always(found, best)
    close = f"within {100 * CLOSE:g} point of the best strategy"
    told = f"Advice was {close} in {hits(found)} of {counted(len(found), 'cell')}, {100 * regret:.1f} points below it"
    return [f"{told} on average; always `{best}` in {count}, {100 * cost:.1f} points below."]


def advice_tables(found: Sequence[Case]) -> list[Table]:
    """The cells, and the scores' rank correlations; none where nothing was measured."""
    if not found:
        return []
    columns = ("data", "split", "rows a class", "from scratch", *STRATEGIES, "advised", "regret")
    ranks = {(own.score, own.strategy): own.rho for own in agreements(found)}
    rows = [Row((Cell(score), *(_rho(ranks[score, strategy]) for strategy in STRATEGIES))) for score in SCORES]
    return [
        Table("Advice in hindsight", columns, (tuple(map(_row, found)),), NOTE),
        Table("What scores say of accuracy", ("score", *STRATEGIES), (tuple(rows),), RANKS),
    ]


def _row(own: Case) -> Row:
    best = max(own.accuracy.values())
    reached = [Cell(percent(value), shade=_shade(best - value)) for value in own.accuracy.values()]
    advised = ", ".join(
        name if count == sum(own.advised.values()) else f"{count} {name}" for name, count in own.advised.items()
    )
    scratch = NONE if own.scratch is None else percent(own.scratch)
    first = (own.dataset, own.split, f"{own.per_class:.3g}", scratch)
    return Row((*map(Cell, first), *reached, Cell(advised), Cell(points(-own.regret))))


def _shade(below: float) -> float:
    """Blue for what is within a point of the best, the redder the further below."""
    return 0.5 if below <= CLOSE else -min(below / 0.1, 1.0)


def _rank(found: Sequence[Case], strategy: str) -> tuple[int, float]:
    count, cost = always(found, strategy)
    return count, -cost


def _rho(value: float) -> Cell:
    return Cell(NONE if math.isnan(value) else f"{value:+.2f}")
