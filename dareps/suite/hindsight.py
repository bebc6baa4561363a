"""What the advice on a pretrained model would have cost: its strategy against the best of the four, in hindsight."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from dareps.engine.outcome import Outcome
from dareps.suite._results import TARGET_ONLY, results, table_names
from dareps.suite.statistics import mean
from dareps.suite.store import Store
from dareps.transfer.advice import RECIPES, Measured, StageScores, advise

NOTE: Final = "advice"
CLOSE: Final = 0.01
"""Advice hits where its strategy is at most this far below the best one: a point."""
STRATEGIES: Final = tuple(RECIPES)
SCORES: Final = ("LogME", "H-score", "LEEP", "NCE", "proxy A-distance")
FEWEST: Final = 4
"""Fewer cells than this have no rank correlation worth telling."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was measured of one split with one seed, before any strategy was tried.

    Attributes:
        key: Of the run that the model was trained by, on these rows.
        dataset: The dataset's name in tables; `split` likewise.
    """

    key: str
    dataset: str
    split: str
    seed: int
    measured: Measured


@dataclass(frozen=True, slots=True)
class Case:
    """One task on one split.

    Attributes:
        dataset: The task's name in tables.
        per_class: Labelled target rows per class, mean over seeds.
        accuracy: Strategy -> accuracy on test rows, mean over seeds.
        scratch: The same of the suite's baseline, which learns from scratch; None where it has no results.
        advised: How many seeds were advised what.
        regret: Accuracy of the best strategy minus that of the advised one, mean over seeds.
        scores: Name of a transferability score, at the top stage where there are several -> mean over seeds.
    """

    dataset: str
    split: str
    per_class: float
    accuracy: Mapping[str, float]
    scratch: float | None
    advised: Mapping[str, int]
    regret: float
    scores: Mapping[str, float]

    @property
    def best(self) -> str:
        """The strategy that won; the first of several."""
        return max(STRATEGIES, key=lambda name: self.accuracy[name])

    @property
    def hit(self) -> bool:
        """Whether the advice was within a point of the best strategy."""
        return self.regret <= CLOSE


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a score ranks cells against how well a strategy did on them: Spearman's rho over `n` cells."""

    score: str
    strategy: str
    rho: float
    n: int


def keep(store: Store, told: Iterable[Told]) -> None:
    """Write what was measured into the store, in place of what it has under the same key and task."""
    found = {(own.key, own.measured.task): own for own in (*told_in(store), *told)}
    store.note(NOTE, json.dumps([asdict(own) for own in found.values()]))


def told_in(store: Store) -> list[Told]:
    """What the store says was measured; nothing in a suite without advice."""
    return [Told(**{**own, "measured": _measured(own["measured"])}) for own in json.loads(store.noted(NOTE) or "[]")]


def cases(
    outcomes: Iterable[Outcome],
    told: Sequence[Told],
    rules: Sequence[str],
    baseline: str = TARGET_ONLY,
    reading: Literal["value", "score"] = "value",
) -> list[Case]:
    """Every task and split with advice and results of all four strategies, by the first of `rules` with results.

    A strategy's accuracy is a mean over seeds, so the best one is the best on average, not of each seed by luck; the
    advice is each seed's own, by the rule as it is now. With `reading="score"` accuracy is the rule's own score instead
    of that on test rows: what `target_score` reads is accuracy on the validation rows that a split declares.
    """
    outcomes = list(outcomes)
    names = table_names(outcomes)
    found = results(outcomes) if told else []
    known = {result.selection for result in found}
    rule = next((name for name in rules if name in known), None)
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for own in found:
        if own.selection == rule:
            reached = values.setdefault((own.dataset, own.split), {}).setdefault(own.recipe, [])
            reached.append(getattr(own, reading))
    groups: dict[tuple[str, str], list[Told]] = {}
    for each in told:
        name = names.get((each.dataset, each.measured.task))
        if name is not None:
            groups.setdefault((name, each.split), []).append(each)
    return [
        _case(place, values[place], groups[place], baseline)
        for place in sorted(groups)
        if set(STRATEGIES) <= values.get(place, {}).keys()
    ]


def agreements(found: Sequence[Case]) -> list[Agreement]:
    """Spearman's rank correlation of each score with each strategy's accuracy over the cells.

    NaN where there are fewer than four cells, or a side is constant.
    """
    pairs = [(score, strategy) for score in SCORES for strategy in STRATEGIES]
    return [Agreement(*pair, _rho(found, *pair), len(found)) for pair in pairs]


def hits(found: Sequence[Case]) -> int:
    """In how many cells the advice was within a point of the best strategy."""
    return sum(own.hit for own in found)


def always(found: Sequence[Case], strategy: str) -> tuple[int, float]:
    """Hits and mean regret of one strategy wherever it stands: what advice has to beat."""
    regrets = [_below(max(own.accuracy.values()), own.accuracy[strategy]) for own in found]
    return sum(regret <= CLOSE for regret in regrets), mean(regrets)


def _case(place: tuple[str, str], values: Mapping[str, Sequence[float]], told: Sequence[Told], baseline: str) -> Case:
    accuracy = {name: mean(values[name]) for name in STRATEGIES}
    advised = Counter(advise(own.measured).strategy for own in told)
    best = max(accuracy.values())
    return Case(
        *place,
        per_class=mean(own.measured.per_class for own in told),
        accuracy=accuracy,
        scratch=mean(values[baseline]) if baseline in values else None,
        advised=dict(advised),
        regret=mean(_below(best, accuracy[name]) for name in advised.elements()),
        scores={name: mean(_scores(own.measured)[name] for own in told) for name in SCORES},
    )


def _below(best: float, reached: float) -> float:
    """Rounded far below one test row, so that a point is a point."""
    return round(best - reached, 12)


def _measured(own: Mapping[str, Any]) -> Measured:
    return Measured(**{**own, "stages": tuple(StageScores(**stage) for stage in own["stages"])})


def _rho(found: Sequence[Case], score: str, strategy: str) -> float:
    from scipy.stats import spearmanr

    given, reached = [own.scores[score] for own in found], [own.accuracy[strategy] for own in found]
    if len(found) < FEWEST or len(set(given)) < 2 or len(set(reached)) < 2:
        return math.nan
    return float(spearmanr(given, reached).statistic)


def _scores(own: Measured) -> dict[str, float]:
    top = own.stages[-1]
    return dict(zip(SCORES, (top.logme, top.h_score, own.leep, own.nce, top.distance), strict=True))
