"""What becomes of a recipe's seeds: their mean, the one that a rule prefers, and their ensemble, kept apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from dareps.engine.outcome import Outcome
from dareps.engine.votes import Votes, ensemble_accuracy, read_votes
from dareps.suite._results import AVERAGE, CHOSEN, UNSCORED, Result, results
from dareps.suite.statistics import best_recipe, comparable, mean, seed_means

Key = TypeVar("Key", bound=Hashable)
FEWEST: Final = 2
"""Members of an ensemble."""


@dataclass(frozen=True, slots=True)
class SeedEntry:
    """One recipe under one rule on one split, or on average over all splits of its dataset.

    Attributes:
        n: Seeds behind `mean`.
        mean: Mean target test accuracy of the seeds, as in the leaderboard.
        chosen_seed: The seed that the rule's own score prefers; None on average, and where the rule scores no seeds.
        chosen: Its target test accuracy; on average, of each split's own choice.
        members: Models that vote in the smallest ensemble.
        ensemble: Accuracy of the average of the seeds' probabilities: one number, since one ensemble is made of all.
    """

    dataset: str
    split: str
    recipe: str
    selection: str
    target_labels: int
    n: int
    mean: float | None
    chosen_seed: int | None
    chosen: float | None
    members: int
    ensemble: float | None


def seed_board(outcomes: Iterable[Outcome], folder: Path) -> list[SeedEntry]:
    """All entries by dataset, split (the average first), rule and recipe.

    Target labels play no part in which seed is chosen, nor in the ensembles' predictions.

    Args:
        outcomes: Current runs.
        folder: The output folder, below which the runs' predictions lie.
    """
    found, reading = results(outcomes), _Reading(folder)
    entries: list[SeedEntry] = []
    for dataset in sorted({result.dataset for result in found}):
        rows = [result for result in found if result.dataset == dataset]
        splits = sorted({result.split for result in rows})
        for group in _grouped(_with_chosen(rows), lambda row: (row.selection, row.recipe)).values():
            each = [_entry(seeds, reading) for seeds in _grouped(group, lambda row: row.split).values()]
            entries += [_average(each, group, splits), *each]
    return sorted(entries, key=_order)


def preferred_seed(seeds: Sequence[Result]) -> Result | None:
    """The result with the highest score of its rule, the first of equal ones; None where scores say nothing."""
    known = [result for result in seeds if result.selection not in UNSCORED and not math.isnan(result.score)]
    return max(known, key=lambda result: (result.score, -result.seed), default=None)


class _Reading:
    """Predictions read from an output folder, the last few hundred kept: a recipe's rules ask for the same."""

    def __init__(self, folder: Path) -> None:
        self.votes = lru_cache(maxsize=256)(lambda key: read_votes(folder, key))

    def members(self, seeds: Sequence[Result]) -> list[tuple[Votes, int]]:
        """The votes of all seeds, or nothing when one of them left none or there is one alone."""
        found = [(self.votes(result.run), result.step) for result in seeds if result.votes]
        members = [(votes, step) for votes, step in found if votes is not None]
        return members if len(members) == len(seeds) >= FEWEST else []


def _order(entry: SeedEntry) -> tuple[str, bool, str, str, str]:
    return entry.dataset, entry.split != AVERAGE, entry.split, entry.selection, entry.recipe


def _with_chosen(rows: Sequence[Result]) -> list[Result]:
    """The results of one dataset, and again as `chosen` those of the recipe that each rule prefers at each seed."""
    chosen = [
        replace(result, recipe=CHOSEN)
        for rule in sorted({row.selection for row in rows})
        if comparable(rule)
        for result in best_recipe(rows, rule).values()
    ]
    return [*rows, *chosen]


def _grouped(rows: Iterable[Result], part: Callable[[Result], Key]) -> dict[Key, list[Result]]:
    groups: dict[Key, list[Result]] = {}
    for row in sorted(rows, key=lambda row: row.seed):
        groups.setdefault(part(row), []).append(row)
    return groups


def _entry(seeds: Sequence[Result], reading: _Reading) -> SeedEntry:
    best, first, members = preferred_seed(seeds), seeds[0], reading.members(seeds)
    return SeedEntry(
        dataset=first.dataset,
        split=first.split,
        recipe=first.recipe,
        selection=first.selection,
        n=len(seeds),
        mean=mean(result.value for result in seeds),
        chosen_seed=None if best is None else best.seed,
        chosen=None if best is None else best.value,
        members=len(members),
        ensemble=ensemble_accuracy(members) if members else None,
        target_labels=max(result.target_labels for result in seeds),
    )


def _average(each: Sequence[SeedEntry], rows: Iterable[Result], splits: Sequence[str]) -> SeedEntry:
    """Means over splits, of what every split has; the seeds' own as the leaderboard takes it."""
    per_seed = list(seed_means({row.place: row.value for row in rows}, splits).values())
    whole = len(each) == len(splits)
    return replace(
        each[0],
        split=AVERAGE,
        n=len(per_seed),
        mean=mean(per_seed) if per_seed else None,
        chosen_seed=None,
        chosen=_all([entry.chosen for entry in each]) if whole else None,
        members=min(entry.members for entry in each),
        ensemble=_all([entry.ensemble for entry in each]) if whole else None,
        target_labels=max(entry.target_labels for entry in each),
    )


def _all(values: Sequence[float | None]) -> float | None:
    """The mean, unless a value is missing."""
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None
