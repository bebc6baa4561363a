"""The leaderboard: every recipe's figures per split and on average, per selection rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dareps.engine.outcome import Outcome
from dareps.suite._results import (
    AVERAGE,
    CHOSEN,
    SOURCE_ONLY,
    TARGET_ONLY,
    Place,
    Result,
    baseline_among,
    results,
)
from dareps.suite.statistics import (
    best_recipe,
    comparable,
    holm,
    interval,
    mean,
    mean_difference,
    oracle_recipe,
    p_value,
    paired_differences,
    seed_means,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the leaderboard.

    Attributes:
        split: `source:target`, or `average` over all splits of the dataset.
        recipe: The recipe's name, or `chosen`: whatever recipe the rule's score preferred at each split and seed.
        n: Seeds behind `mean`; for the average, seeds that finished every split.
        mean: Mean target test accuracy; None when n = 0.
        low: Lower end of the 95 % interval; `high` the upper one; None when n < 2.
        difference: Mean paired difference to the reference (`source_only`, or a suite's baseline), over all
            (split, seed) that both finished.
        p: Paired test of that difference, adjusted by Holm over all rows of the same split and rule.
        regret: Mean accuracy lost against the oracle's checkpoint of the same runs.
        target_labels: Most target labels that one of the runs saw.
        oracle_recipe: Best in hindsight of its split and rule, `target_only` aside; never a headline.
    """

    dataset: str
    split: str
    recipe: str
    selection: str
    n: int
    mean: float | None
    low: float | None
    high: float | None
    difference: float | None
    p: float | None
    regret: float | None
    target_labels: int
    oracle_recipe: bool = False


def leaderboard(outcomes: Iterable[Outcome], reference: str = SOURCE_ONLY) -> list[Entry]:
    """All entries, by dataset, split (the average first), selection rule and recipe.

    Args:
        outcomes: Current runs.
        reference: The recipe that differences are to; of several, separated by commas, the first that a dataset has.
    """
    found = results(outcomes)
    entries: list[Entry] = []
    for dataset in sorted({result.dataset for result in found}):
        rows = [result for result in found if result.dataset == dataset]
        splits = sorted({result.split for result in rows})
        base = baseline_among(reference, [result.recipe for result in rows])
        rules = sorted({result.selection for result in rows})
        for name, members in [(AVERAGE, splits), *((split, [split]) for split in splits)]:
            for rule in rules:
                group = [row for row in rows if row.split in members and row.selection == rule]
                entries += _group(_with_chosen(group, rule), name, members, base)
    return entries


def _with_chosen(group: Sequence[Result], rule: str) -> list[Result]:
    chosen = best_recipe(group, rule).values() if comparable(rule) else ()
    return [*group, *(replace(result, recipe=CHOSEN) for result in chosen)]


def _group(rows: Sequence[Result], split: str, members: Sequence[str], reference: str) -> list[Entry]:
    """The entries of one family of comparisons: one split (or the average), one rule."""
    by_recipe: dict[str, dict[Place, Result]] = {}
    for row in rows:
        by_recipe.setdefault(row.recipe, {})[row.place] = row
    base = {place: row.value for place, row in by_recipe.get(reference, {}).items()}
    entries = [
        _entry(by_recipe[recipe], {} if recipe == reference else base, recipe, split, members)
        for recipe in sorted(by_recipe)
    ]
    return _marked(_adjusted(entries))


def _entry(
    rows: dict[Place, Result], base: dict[Place, float], recipe: str, split: str, members: Sequence[str]
) -> Entry:
    some = next(iter(rows.values()))
    values = {place: row.value for place, row in rows.items()}
    per_seed = list(seed_means(values, members).values())
    low, high = interval(per_seed) or (None, None)
    differences = paired_differences(values, base)
    regrets = [row.regret for row in rows.values() if row.regret is not None]
    return Entry(
        dataset=some.dataset,
        split=split,
        recipe=recipe,
        selection=some.selection,
        n=len(per_seed),
        mean=mean(per_seed) if per_seed else None,
        low=low,
        high=high,
        difference=mean_difference(differences),
        p=p_value(differences),
        regret=mean(regrets) if regrets else None,
        target_labels=max(row.target_labels for row in rows.values()),
    )


def _adjusted(entries: Sequence[Entry]) -> list[Entry]:
    raw = [(place, entry.p) for place, entry in enumerate(entries) if entry.p is not None]
    adjusted = dict(zip((place for place, _ in raw), holm([p for _, p in raw]), strict=True))
    return [replace(entry, p=adjusted.get(place)) for place, entry in enumerate(entries)]


def _marked(entries: Sequence[Entry]) -> list[Entry]:
    means = {
        entry.recipe: entry.mean
        for entry in entries
        if entry.mean is not None and entry.target_labels == 0 and entry.recipe not in (CHOSEN, TARGET_ONLY)
    }
    best = oracle_recipe(means)
    return [replace(entry, oracle_recipe=best is not None and entry.recipe == best) for entry in entries]
