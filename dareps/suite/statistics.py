"""Intervals over seeds, paired tests and the choice among recipes.

A set of paired differences is a mapping (split, seed) -> difference; pairs of which one half is missing are absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final, TypeVar

from dareps.suite._results import TARGET_ONLY, Place, Result

Name = TypeVar("Name", bound=Hashable)
SPLITS_FOR_WILCOXON: Final = 6
SEEDS_FOR_T: Final = 5
LABEL_FREE: Final = frozenset({"source_accuracy", "entropy", "information_maximisation", "dev"})
"""Shipped rules whose scores need no target labels and mean the same for every recipe."""


def mean(values: Iterable[float]) -> float:
    """The arithmetic mean, summed exactly and kept within the range of the values."""
    values = list(values)
    return min(max(math.fsum(values) / len(values), min(values)), max(values))


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of the mean: mean -/+ t_(n - 1) s / sqrt(n), s with ddof = 1; None for fewer than 2."""
    n = len(values)
    if n < 2:
        return None
    middle = mean(values)
    half = _t_quantile((1 + level) / 2, n - 1) * _standard_error(values)
    return middle - half, middle + half


def paired_differences(ours: Mapping[Place, float], other: Mapping[Place, float]) -> dict[Place, float]:
    """ours - other wherever both are known.

    Rounded to 12 digits, far below one test row: rounding errors would break ties between splits.
    """
    return {place: round(ours[place] - other[place], 12) for place in sorted(ours.keys() & other.keys())}


def split_means(values: Mapping[Place, float]) -> dict[str, float]:
    """The mean over seeds of each split."""
    return {name: mean(group) for name, group in _grouped(values, lambda place: place[0]).items()}


def seed_means(values: Mapping[Place, float], splits: Iterable[str]) -> dict[int, float]:
    """The mean over the given splits of each seed that has them all.

    A seed that lacks a split is left out: its average would be over easier or harder splits than the others'.
    """
    wanted = set(splits)
    chosen = {place: value for place, value in values.items() if place[0] in wanted}
    by_seed = _grouped(chosen, lambda place: place[1])
    return {seed: mean(group) for seed, group in by_seed.items() if len(group) == len(wanted)}


def mean_difference(differences: Mapping[Place, float]) -> float | None:
    """The mean over splits of the mean over seeds; None without a pair."""
    return mean(split_means(differences).values()) if differences else None


def p_value(differences: Mapping[Place, float]) -> float | None:
    """Two-sided p of a paired test against no difference.

    Wilcoxon's signed-rank test on the splits' means from 6 splits on, else Student's t on the seeds' means from
    5 seeds on, else None.
    """
    # Rounded like the pairs, so that splits with equal differences tie.
    by_split = [round(value, 12) for value in split_means(differences).values()]
    if len(by_split) >= SPLITS_FOR_WILCOXON:
        return wilcoxon_p(by_split)
    by_seed = [mean(group) for group in _grouped(differences, lambda place: place[1]).values()]
    return t_p(by_seed) if len(by_seed) >= SEEDS_FOR_T else None


def wilcoxon_p(differences: Sequence[float]) -> float:
    """Wilcoxon's signed-rank test of paired differences, zeros dropped, two-sided; 1 when all are zero.

    Exact also under ties: W is compared with its distribution over all signs of the average ranks at hand. Equals
    `scipy.stats.wilcoxon` wherever that is exact; with ties scipy counts permutations, which takes a thousand times
    longer, and beyond 13 pairs falls back on the normal approximation.
    """
    import numpy as np
    from scipy import stats

    pairs = [value for value in differences if value != 0]
    # Average ranks are multiples of a half, so doubled ones index an array.
    ranks = np.rint(2 * stats.rankdata([abs(value) for value in pairs])).astype(int)
    chances = np.ones(1)
    for rank in ranks:
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    reached = sum(int(rank) for rank, value in zip(ranks, pairs, strict=True) if value > 0)
    tail = min(math.fsum(chances[: reached + 1]), math.fsum(chances[reached:]))
    return min(1.0, 2 * tail)


def t_p(differences: Sequence[float]) -> float | None:
    """Student's t test of paired differences; 1 when all are zero, None when all are equal otherwise.

    Equal differences come from runs that do not depend on the seed: they are one observation, not several.
    """
    from scipy import stats

    largest = max(abs(value) for value in differences)
    if largest == 0:
        return 1.0
    if max(differences) - min(differences) <= 1e-9 * largest:
        return None
    # As `scipy.stats.ttest_1samp`, at a tenth of the time: a leaderboard has thousands of tests.
    return 2 * float(stats.t.sf(abs(mean(differences)) / _standard_error(differences), len(differences) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: p_(i) -> max over j <= i of min(1, (m - j + 1) p_(j)), in the order given."""
    count, highest = len(p_values), 0.0
    adjusted = [0.0] * count
    for rank, index in enumerate(sorted(range(count), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def comparable(selection: str) -> bool:
    """Whether the rule is label-free on the target and its scores of different recipes may be compared.

    A third party's validator counts when it is known here, is no oracle and does not say `comparable = False`.
    """
    from dareps.plugin import plugins
    from dareps.selection._base import Validator

    if selection in LABEL_FREE:
        return True
    validator = None if selection == "last" else plugins(Validator).get(selection)
    return validator is not None and not validator.oracle and bool(getattr(validator, "comparable", True))


def best_recipe(found: Iterable[Result], rule: str) -> dict[tuple[str, str, int], Result]:
    """The result that a label-free rule prefers for each (dataset, split, seed), by its score among all recipes.

    Recipes that saw target labels stand outside; equal scores go to the name that sorts first. The target metric
    plays no part. A rule that judges by what the network read compares nothing where that differs among the recipes.
    """
    best: dict[tuple[str, str, int], Result] = {}
    rivals = [each for each in found if each.selection == rule and _candidate(each) and not math.isnan(each.score)]
    if _judges_by_inputs(rule) and len({each.inputs for each in rivals}) > len({each.dataset for each in rivals}):
        return best
    for result in sorted(rivals, key=lambda result: result.recipe):
        place = (result.dataset, *result.place)
        if place not in best or result.score > best[place].score:
            best[place] = result
    return best


def _judges_by_inputs(rule: str) -> bool:
    from dareps.plugin import plugins
    from dareps.selection._base import Validator

    return bool(getattr(plugins(Validator).get(rule), "reads_inputs", False))


def oracle_recipe(means: Mapping[str, float]) -> str | None:
    """The best recipe in hindsight of recipe -> mean target metric; callers leave out those that saw target labels."""
    return max(sorted(means), key=lambda name: means[name], default=None)


def _standard_error(values: Sequence[float]) -> float:
    """s / sqrt(n) with ddof = 1."""
    middle, n = mean(values), len(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (n - 1) / n)


@cache
def _t_quantile(probability: float, degrees: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(probability, degrees))


def _candidate(result: Result) -> bool:
    return result.target_labels == 0 and result.recipe != TARGET_ONLY


def _grouped(values: Mapping[Place, float], part: Callable[[Place], Name]) -> dict[Name, list[float]]:
    groups: dict[Name, list[float]] = {}
    for place, value in sorted(values.items()):
        groups.setdefault(part(place), []).append(value)
    return groups
