"""Delta_m: what a recipe gains on a single-task baseline, over all its tasks and domains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from dareps.engine.outcome import Outcome
from dareps.suite._results import baseline_among, dataset_name, split_name
from dareps.suite.statistics import SEEDS_FOR_T, SPLITS_FOR_WILCOXON, holm, interval, mean, t_p, wilcoxon_p
from dareps.suite.units import figures_of, kind_of_unit, units_of

Measure = Literal["over_metrics", "over_tasks", "difference"]
Unit = tuple[str, str]
"""A task and a domain."""
MEASURES: Final[tuple[Measure, ...]] = ("over_metrics", "over_tasks")
_DIGITS: Final = 12
"""As for paired differences: rounding errors would break ties."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run says of one unit.

    Attributes:
        value: The task's main metric.
        relative: Metrics of which a relative change means something.
        higher: Which of these are better when higher.
    """

    value: float
    relative: Mapping[str, float]
    higher: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class DeltaEntry:
    """One recipe against the baseline under one rule: Delta_m in one convention, or the difference on one unit.

    Attributes:
        measure: `over_metrics` or `over_tasks` (Delta_m in percent, positive is better), or `difference` (of the main
            metric of one unit, in its own units).
        task: The unit's task; empty for Delta_m. `domain` likewise.
        n: Seeds with all figures of both.
        mean: Of the recipe's main metric on the unit; for Delta_m, empty. `base` is the baseline's.
        value: Delta_m or the difference, mean over these seeds.
        low: Lower end of its 95 % interval; `high` the upper one; None when n < 2.
        p: Paired test, adjusted by Holm over all rows of the same split, rule and kind of measure.
        missing: Why seeds are left out; empty when none are.
    """

    dataset: str
    split: str
    recipe: str
    selection: str
    baseline: str
    measure: Measure
    task: str
    domain: str
    n: int
    mean: float | None
    base: float | None
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    missing: str


def relative_gains(ours: Figures, base: Figures) -> dict[str, float]:
    """Relative gains of one unit in percent, by metric: 100 (-1)^l (M - B) / |B|, where l = 1 if lower is better.

    Positive is better. A metric that one side lacks is left out; the gain on a baseline of 0 is not defined (NaN).
    """
    gains = {}
    for name in ours.relative.keys() & base.relative.keys():
        own, other = ours.relative[name], base.relative[name]
        sign = 1 if ours.higher[name] else -1
        gains[name] = round(100 * sign * (own - other) / abs(other), _DIGITS) if other else math.nan
    return dict(sorted(gains.items()))


def delta_m(ours: Mapping[Unit, Figures], base: Mapping[Unit, Figures], measure: Measure) -> float:
    """Delta_m of a multi-task model on single-task baselines, in percent.

    Over metrics: (1 / K) sum_k 100 (-1)^l_k (M_k - B_k) / |B_k| over all K metrics of all tasks (as in Liu et al.,
    CAGrad, NeurIPS 2021). Over tasks: each task's metrics are averaged first, (1 / T) sum_t (1 / K_t) sum_k ...
    (Maninis et al., CVPR 2019, eq. 1). l_k = 1 where lower is better, so that positive is better in both; the first
    favours tasks with many metrics. A task on several domains counts as several tasks.

    Metrics that may be negative, such as R^2, have no meaningful relative change and stay out.

    Args:
        ours: Figures of the model, by task and domain.
        base: Figures of the baselines, for the same ones.
        measure: Over what is averaged.

    Returns:
        Delta_m; NaN where a baseline's figure is 0.
    """
    gains = [relative_gains(figures, base[unit]) for unit, figures in ours.items()]
    if measure == "over_metrics":
        return mean(gain for own in gains for gain in own.values())
    return mean(mean(own.values()) for own in gains)


Seeds = Mapping[int, Mapping[Unit, Figures]]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A recipe and the baseline on one split, under one rule.

    Attributes:
        ours: Seed -> unit -> figures.
        failed: Seed -> units of which the baseline's run failed, or an empty set for all.
    """

    entry: DeltaEntry
    ours: Seeds
    base: Seeds
    failed: Mapping[int, str]

    @property
    def whole(self) -> list[int]:
        """Seeds of which the baseline has all units that the recipe has."""
        return [seed for seed in sorted(self.ours) if not self.lacking(seed)]

    def lacking(self, seed: int) -> list[Unit]:
        """Units of a seed that the baseline has no figures of."""
        return [unit for unit in self.ours[seed] if unit not in self.base.get(seed, {})]

    def missing(self) -> str:
        """What the baseline lacks, a part per seed."""
        return "; ".join(
            f"seed {seed}: the baseline {self.failed.get(seed, 'was not run')} for {_named(units)}"
            for seed in sorted(self.ours)
            if (units := self.lacking(seed))
        )

    def delta(self, measure: Measure) -> DeltaEntry:
        """Delta_m over the seeds that are whole."""
        per_seed = [delta_m(self.ours[seed], self.base[seed], measure) for seed in self.whole]
        zero = "a figure of the baseline is 0" if any(map(math.isnan, per_seed)) else ""
        missing = "; ".join(text for text in (self.missing(), zero) if text)
        own = replace(self.entry, measure=measure, n=len(per_seed), missing=missing)
        if not per_seed or zero:
            return own
        low, high = interval(per_seed) or (None, None)
        return replace(own, value=mean(per_seed), low=low, high=high, p=self._p(per_seed))

    def _p(self, per_seed: Sequence[float]) -> float | None:
        """Wilcoxon over units from 6 on, each the mean over seeds of its metrics' mean gain, else t over seeds."""
        units = {unit for seed in self.whole for unit in self.ours[seed]}
        if len(units) < SPLITS_FOR_WILCOXON:
            return t_p(per_seed) if len(per_seed) >= SEEDS_FOR_T else None
        return wilcoxon_p(
            [
                round(mean(self._gain(seed, unit) for seed in self.whole if unit in self.ours[seed]), _DIGITS)
                for unit in sorted(units)
            ]
        )

    def _gain(self, seed: int, unit: Unit) -> float:
        return mean(relative_gains(self.ours[seed][unit], self.base[seed][unit]).values())

    def differences(self) -> list[DeltaEntry]:
        """The difference of the main metric on each unit, over the seeds that have it in both."""
        units = dict.fromkeys(unit for seed in sorted(self.ours) for unit in self.ours[seed])
        return [self._difference(unit) for unit in units]

    def _difference(self, unit: Unit) -> DeltaEntry:
        has = [seed for seed in sorted(self.ours) if unit in self.ours[seed]]
        both = [seed for seed in has if unit in self.base.get(seed, {})]
        own, other = ([side[seed][unit].value for seed in both] for side in (self.ours, self.base))
        gaps = [round(one - two, _DIGITS) for one, two in zip(own, other, strict=True)]
        low, high = interval(gaps) or (None, None)
        lacking = [
            f"seed {seed}: the baseline {self.failed.get(seed, 'was not run')}" for seed in has if seed not in both
        ]
        return replace(
            self.entry,
            measure="difference",
            task=unit[0],
            domain=unit[1],
            n=len(both),
            mean=mean(own) if own else None,
            base=mean(other) if other else None,
            value=mean(gaps) if gaps else None,
            low=low,
            high=high,
            p=t_p(gaps) if len(gaps) >= SEEDS_FOR_T else None,
            missing="; ".join(lacking),
        )


def delta_board(outcomes: Iterable[Outcome], baseline: str) -> list[DeltaEntry]:
    """Delta_m of every recipe but the baseline, and its difference on each unit; nothing without a baseline.

    By dataset, split, rule and recipe.

    Args:
        outcomes: Current runs, joined where they stand for one.
        baseline: The recipe to compare with; of several, separated by commas, the first that a split has.
    """
    places: dict[tuple[str, str], list[Outcome]] = {}
    for own in outcomes if baseline else ():
        places.setdefault((dataset_name(own.identity), split_name(own.identity)), []).append(own)
    entries: list[DeltaEntry] = []
    for place in sorted(places):
        runs = places[place]
        rules = sorted({row.selection for own in runs for row in own.selected})
        base = baseline_among(baseline, [own.identity.recipe for own in runs])
        recipes = sorted({own.identity.recipe for own in runs if own.status == "ok"} - {base})
        for rule in rules:
            pairs = [_pair(place, rule, recipe, runs, base) for recipe in recipes]
            for measure in MEASURES:
                entries += _adjusted([pair.delta(measure) for pair in pairs])
            entries += _adjusted([entry for pair in pairs for entry in pair.differences()])
    return entries


def _pair(place: tuple[str, str], rule: str, recipe: str, runs: Sequence[Outcome], baseline: str) -> _Pair:
    nothing = (None, None, None, None, None, None)
    empty = DeltaEntry(*place, recipe, rule, baseline, "over_tasks", "", "", 0, *nothing, missing="")
    failed = {own.identity.seed: "failed" for own in _of(runs, baseline) if own.status == "failed"}
    return _Pair(empty, _figures(_of(runs, recipe), rule), _figures(_of(runs, baseline), rule), failed)


def _of(runs: Iterable[Outcome], recipe: str) -> list[Outcome]:
    return [own for own in runs if own.identity.recipe == recipe]


def _figures(runs: Iterable[Outcome], rule: str) -> dict[int, dict[Unit, Figures]]:
    """Seed -> unit -> figures under a rule; models of tasks apart say one unit each."""
    found: dict[int, dict[Unit, Figures]] = {}
    for own in runs:
        for unit in units_of(own):
            kind = kind_of_unit(unit)
            known = {name: value for name, value in figures_of(unit).items() if name in kind.relative}
            relative = {name: value for name, value in known.items() if math.isfinite(value)}
            if unit.selection == rule and relative:
                seen = found.setdefault(own.identity.seed, {})
                seen[unit.task, unit.domain] = Figures(unit.value, relative, kind.relative)
    return found


def _adjusted(entries: Sequence[DeltaEntry]) -> list[DeltaEntry]:
    raw = [(place, entry.p) for place, entry in enumerate(entries) if entry.p is not None]
    adjusted = dict(zip((place for place, _ in raw), holm([p for _, p in raw]), strict=True))
    return [replace(entry, p=adjusted.get(place)) for place, entry in enumerate(entries)]


def _named(units: Sequence[Unit]) -> str:
    """`kind on fruit`, with what goes beyond three counted."""
    shown = [f"{task} on {domain}" for task, domain in units[:3]]
    return ", ".join([*shown, *([f"{len(units) - 3} more"] if len(units) > 3 else [])])
