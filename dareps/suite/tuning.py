"""Tuning without target labels: the same number of seeded draws for every recipe, judged by a label-free rule."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dareps.engine.outcome import Outcome, Selected
from dareps.errors import ConfigError
from dareps.plugin import suggestion
from dareps.recipe.settings import Run
from dareps.suite._draws import Draws, Range, Sampler, draw, ranges
from dareps.suite.statistics import comparable, mean


@dataclass(frozen=True, slots=True)
class Trial:
    """One draw of a recipe's settings.

    Attributes:
        number: 0 is the recipe as it stands.
        draws: Setting -> value.
        runs: The runs that try it: splits x seeds.
        keys: Their keys.
    """

    number: int
    draws: Draws
    runs: tuple[Run, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A trial whose runs are finished.

    Attributes:
        rank: Mean over splits and seeds of the rank of its score among the recipe's trials; 1 is best.
        score: Mean of the rule's scores; None where a run has none.
        scored: Runs that did not fail and whose score is a number.
        failed: Runs that failed.
        source_metric: Mean source validation accuracy at the rule's checkpoints.
        target_metric: Mean target test accuracy there; plays no part in the choice.
        target_labels: Target labels that training saw.
    """

    trial: Trial
    rank: float
    score: float | None
    scored: int
    failed: int
    source_metric: float | None
    target_metric: float | None
    target_labels: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning made of a recipe.

    Attributes:
        recipe: Its name.
        ranges: The settings that were tuned; none when it declares none.
        trials: Finished trials in order, the recipe as it stands first.
    """

    recipe: str
    ranges: tuple[Range, ...]
    trials: tuple[Judged, ...]

    @property
    def default(self) -> Judged:
        """The recipe as it stands."""
        return self.trials[0]

    @property
    def best(self) -> Judged | None:
        """The trial with the fewest runs without a score, of equals that with the best mean rank, then the earliest.

        A change has to earn its place. None when no run has a score.
        """
        tried = [own for own in self.trials if own.scored]
        return min(tried, key=lambda own: (len(own.trial.keys) - own.scored, own.rank, own.trial.number), default=None)


@dataclass(slots=True)
class Search:
    """Draws, runs and judgement of one suite.

    Attributes:
        bind: (recipe, label, draws) -> the runs of a trial, in an order of splits and seeds that never changes.
        keys_of: The keys of runs.
        names: The recipes.
        count: Trials of each recipe.
        rule: The label-free rule.
        sampler: `random`, or `tpe`, which needs each trial's result before the next.
        fixed: Paths of settings that the user has set, which are not tuned.
    """

    bind: Callable[[str, str, Draws], Sequence[Run]]
    keys_of: Callable[[Sequence[Run]], Sequence[str]]
    names: Sequence[str]
    count: int
    rule: str
    sampler: Sampler = "random"
    fixed: Sequence[str] = ()
    ranges: dict[str, tuple[Range, ...]] = field(default_factory=dict)
    trials: dict[str, list[Trial]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Bind every recipe as it stands; a mistake shows before the first run."""
        for name in self.names:
            runs = tuple(self.bind(name, label_of(name, 0, {}), {}))
            check_rule(self.rule, runs[0])
            check_dataset(runs)
            self.ranges[name] = ranges(runs[0].method, self.fixed)
            self.trials[name] = []

    def rounds(self, outcomes: Callable[[], Mapping[str, Outcome]]) -> Iterator[list[Run]]:
        """The runs to carry out before the next are asked for; trial by trial, so that a stop leaves equal numbers.

        Equal draws are asked for once.

        Args:
            outcomes: Finished runs by key, at the time of asking.
        """
        batch: list[Run] = []
        for number in range(self.count):
            if self.sampler != "random" and batch:
                yield batch
                batch = []
            known = outcomes() if self.sampler != "random" else {}
            for name in self.names:
                if number == 0 or self.ranges[name]:
                    batch += self._unasked(self._next(name, number, known))
        if batch:
            yield batch

    def results(self, outcomes: Mapping[str, Outcome]) -> list[Tuned]:
        """The recipes of which a trial is finished, each judged by as many trials as the slowest of them has.

        Recipes without ranges have the one trial that they can have.
        """
        done = {name: _finished(self.trials[name], outcomes) for name in self.names}
        tunable = [len(done[name]) for name in self.names if self.ranges[name]]
        equal = min(tunable, default=1)
        found = [(name, judged(done[name][:equal], outcomes, self.rule)) for name in self.names]
        return [Tuned(name, self.ranges[name], tuple(trials)) for name, trials in found if trials]

    def _next(self, name: str, number: int, known: Mapping[str, Outcome]) -> Trial:
        trials = self.trials[name]
        history = [(own.trial.draws, own.rank) for own in judged(_finished(trials, known), known, self.rule)]
        draws = draw(name, number, self.ranges[name], history, self.sampler)
        runs = tuple(self.bind(name, label_of(name, number, draws), draws if number else {}))
        trials.append(Trial(number, draws, runs, tuple(self.keys_of(runs))))
        return trials[-1]

    def _unasked(self, trial: Trial) -> list[Run]:
        fresh = [run for run, key in zip(trial.runs, trial.keys, strict=True) if key not in self.asked]
        self.asked.update(trial.keys)
        return fresh


def check_dataset(runs: Sequence[Run]) -> None:
    """Refuse runs on several datasets, whose defaults are as many places to draw around.

    Raises:
        ConfigError: With the datasets.
    """
    names = sorted({type(run.data).name for run in runs})
    if len(names) > 1:
        what, fix = "settings are tuned around the defaults of one dataset", "Tune one at a time, with --splits."
        raise ConfigError("tune", what, ", ".join(names), fix)


def check_rule(rule: str, run: Run) -> None:
    """Refuse a rule that sees target labels, that compares nothing, or that the runs do not ask.

    Raises:
        ConfigError: With the rules that there are.
    """
    rules = {type(own).name: own for own in run.engine.selection}
    usable = [name for name in rules if comparable(name)]
    if rule not in rules:
        raise ConfigError("--rule", "no selected rule has this name", rule, suggestion(rule, usable))
    if rules[rule].oracle:
        what = "the oracle sees target labels: settings tuned by it are no result"
        raise ConfigError("--rule", what, rule, f"Label-free rules: {', '.join(usable)}.")
    if rule not in usable:
        fix = f"Rules that do: {', '.join(usable)}."
        raise ConfigError("--rule", "its scores do not compare models", rule, fix)


def label_of(recipe: str, number: int, draws: Draws) -> str:
    """What the store calls a trial: a function of its settings alone, so that equal draws are the same runs."""
    if number == 0:
        return f"{recipe}~default"
    text = json.dumps(dict(draws), sort_keys=True)
    return f"{recipe}~{hashlib.blake2b(text.encode(), digest_size=5).hexdigest()}"


def judged(trials: Sequence[Trial], outcomes: Mapping[str, Outcome], rule: str) -> list[Judged]:
    """Finished trials of one recipe against each other.

    Scores of different splits have different scales and spreads, so each split and seed ranks the trials by itself,
    and ranks are averaged, as Friedman's test does. A run that failed, or whose score is no number, comes last.
    """
    if not trials:
        return []
    import numpy as np
    from scipy import stats

    table = np.array([[_score(outcomes[key], rule) for key in trial.keys] for trial in trials])
    ranks = stats.rankdata(-table, axis=0).mean(axis=1)
    return [_judged(trial, float(rank), outcomes, rule) for trial, rank in zip(trials, ranks, strict=True)]


def _judged(trial: Trial, rank: float, outcomes: Mapping[str, Outcome], rule: str) -> Judged:
    runs = [outcomes[key] for key in trial.keys]
    scores = [_score(run, rule) for run in runs]
    scored = sum(math.isfinite(score) for score in scores)
    chosen = [own for run in runs if (own := _selected(run, rule)) is not None]
    whole = len(chosen) == len(runs)
    return Judged(
        trial=trial,
        rank=rank,
        score=mean(scores) if scored == len(runs) else None,
        scored=scored,
        failed=sum(run.status != "ok" for run in runs),
        source_metric=mean(own.source_metric for own in chosen) if whole else None,
        target_metric=mean(own.target_metric for own in chosen) if whole else None,
        target_labels=max(run.target_labels for run in runs),
    )


def _selected(outcome: Outcome, rule: str) -> Selected | None:
    found = (own for own in outcome.selected if own.selection == rule)
    return next(found, None) if outcome.status == "ok" else None


def _score(outcome: Outcome, rule: str) -> float:
    own = _selected(outcome, rule)
    return -math.inf if own is None or math.isnan(own.score) else own.score


def _finished(trials: Sequence[Trial], outcomes: Mapping[str, Outcome]) -> list[Trial]:
    """The trials up to the first that lacks a run."""
    done: list[Trial] = []
    for trial in trials:
        if not all(key in outcomes for key in trial.keys):
            break
        done.append(trial)
    return done
