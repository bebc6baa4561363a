"""Losses under each kind of shift, and none, beside the best accuracy that is possible: tables, 3 seeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from benchmarks._measure import Figure
from benchmarks._transfers import benchmark, told
from dareps.recipe.bind import bind_run

SUITE, RULE, MINUTES = "table_shift", "last", 15.0


def limits(dataset: str, split: str) -> list[Figure]:
    """What is known of a split from the process behind its rows."""
    best = bind_run("source_only", f"{dataset}/{split}").data.best_scores()
    return [Figure(f"best possible {what}", value, group=f"{dataset}, {split}") for what, value in best.items()]


def beside_limits(rows: Sequence[dict[str, str]]) -> list[Figure]:
    """Every row of the leaderboard, those of each split behind what is known of it."""
    splits = groupby(rows, lambda row: (row["dataset"], row["split"]))
    return [figure for split, own in splits for figure in (*limits(*split), *told(list(own)))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite and publish every recipe's figure on the target's test rows, beside the best that is possible."""
    benchmark(SUITE, __doc__, RULE, MINUTES, arguments, beside_limits)


if __name__ == "__main__":
    main()
