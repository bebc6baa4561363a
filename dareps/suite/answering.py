"""What a suite of runs on one target says: recipe and checkpoint chosen without its labels, predictions, warnings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from dareps.engine.building import split_of
from dareps.engine.label_shift import target_class_shares
from dareps.engine.outcome import Outcome
from dareps.engine.predict import load
from dareps.maths.label_shift import ClassShares
from dareps.recipe.bind import rebind
from dareps.recipe.own_data import beside
from dareps.suite._results import SOURCE_ONLY
from dareps.suite.statistics import mean
from dareps.transfer.relation import Distance

SURE: Final = 0.95
"""Mean confidence on target rows from which on a model has little left to gain."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A recipe's place by a label-free score.

    Attributes:
        score: Mean over seeds at each run's own checkpoint; higher is better.
        source: The main metric on source validation rows there; `target` on the target rows whose labels are known.
        warnings: What runs warned of, each once.
    """

    recipe: str
    n: int
    score: float
    source: float
    target: float
    seconds: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Predicted:
    """The chosen model on target rows: all of them, or those that are learned from where a file has more.

    Attributes:
        classes: Names of the classes; empty for numbers.
        labels: Class numbers (n,), or numbers (n,).
        confidence: Probability of each row's class, (n,); empty for numbers.
        agreement: Share of rows on which source_only says the same; NaN without it.
        proportions: Class shares of the target as black-box shift estimation has them; None for numbers.
        counts: Of all rows, how many are predicted to be of each class, (c,), or how many there are, (1,); None where
            these are all.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    confidence: np.ndarray
    agreement: float
    proportions: ClassShares | None = None
    counts: np.ndarray | None = None

    @property
    def few(self) -> bool:
        """Whether the file has more rows than these."""
        return self.counts is not None

    @property
    def count(self) -> int:
        """How many rows the file has."""
        return len(self.labels) if self.counts is None else int(self.counts.sum())

    @property
    def shares(self) -> dict[str, float]:
        """Class -> share of all rows that are predicted to be of it."""
        if not self.classes:
            return {}
        counts = np.bincount(self.labels, minlength=len(self.classes)) if self.counts is None else self.counts
        return {name: float(count) / max(self.count, 1) for name, count in zip(self.classes, counts, strict=True)}


def scored(outcomes: Sequence[Outcome], rule: str) -> list[Scored]:
    """Recipes with finished runs, best score first."""
    by_recipe: dict[str, list[Outcome]] = {}
    for own in outcomes:
        if own.status == "ok":
            by_recipe.setdefault(own.identity.recipe, []).append(own)
    found = [_scored(recipe, own, rule) for recipe, own in by_recipe.items()]
    return sorted(found, key=_place)


def _place(own: Scored) -> tuple[float, bool, float, str]:
    """Best score first; of equal ones the model without adaptation, then the better one on the source."""
    score, source = (value if math.isfinite(value) else -math.inf for value in (own.score, own.source))
    return -score, own.recipe != SOURCE_ONLY, -source, own.recipe


def _scored(recipe: str, outcomes: Sequence[Outcome], rule: str) -> Scored:
    rows = [row for own in outcomes for row in own.selected if row.selection == rule]
    told = tuple(dict.fromkeys(text for own in outcomes for text in own.warnings))
    return Scored(
        recipe,
        len(outcomes),
        score=_mean([row.score for row in rows]),
        source=_mean([row.source_metric for row in rows]),
        target=_mean([row.target_metric for row in rows]),
        seconds=sum(own.seconds for own in outcomes),
        warnings=told,
    )


def _mean(values: Sequence[float]) -> float:
    return mean(values) if values and all(map(math.isfinite, values)) else math.nan


def chosen(outcomes: Sequence[Outcome], places: Sequence[Scored], rule: str) -> Outcome:
    """The run of the best recipe that did not collapse whose own score is best."""
    best = _best(places)[0]
    runs = [own for own in outcomes if own.identity.recipe == best.recipe and own.status == "ok"]
    return max(runs, key=lambda own: next(row.score for row in own.selected if row.selection == rule))


def _best(places: Sequence[Scored]) -> list[Scored]:
    """The best recipe that did not collapse, where there is one, and those of the same score."""
    sound = [own for own in places if not own.warnings] or list(places)
    return [own for own in sound if own.score == sound[0].score or own is sound[0]]


def predicted(folder: Path, run: Outcome, outcomes: Sequence[Outcome], x: np.ndarray) -> Predicted:
    """The run's model on raw target rows, and whether the model without adaptation of its seed agrees."""
    model, bound = load(folder / run.folder), rebind(beside(run.identity.config, folder))
    plain = [own for own in outcomes if own.identity.recipe == SOURCE_ONLY and own.status == "ok" and own.folder]
    same = next((own for own in plain if own.identity.seed == run.identity.seed), plain[0] if plain else None)
    if model.task.kind == "regression":
        return Predicted((), model.predict(x).reshape(len(x), -1)[:, 0], np.empty(0), math.nan)
    shares = model.predict_proba(x)
    labels = shares.argmax(axis=1)
    agreement = math.nan if same is None else float((load(folder / same.folder).predict(x) == labels).mean())
    proportions = target_class_shares(model.method, split_of(bound).restricted(bound.tasks), soft=True)
    return Predicted(tuple(model.classes), labels, shares.max(axis=1), agreement, proportions)


def predicted_pieces(folder: Path, run: Outcome, pieces: Iterable[np.ndarray]) -> Iterator[Predicted]:
    """The run's model on raw rows that come in pieces, each by itself."""
    model = load(folder / run.folder)
    for x in pieces:
        if model.task.kind == "regression":
            yield Predicted((), model.predict(x).reshape(len(x), -1)[:, 0], np.empty(0), math.nan)
        else:
            shares = model.predict_proba(x)
            yield Predicted(tuple(model.classes), shares.argmax(axis=1), shares.max(axis=1), math.nan)


def cautions(distance: Distance, places: Sequence[Scored], run: Outcome, found: Predicted) -> list[str]:
    """Why adaptation is not expected to help, or predictions not to be trusted, a sentence each."""
    texts = []
    if distance.answer == "same":
        texts.append(
            f"No shift was found between source and target (MMD, p = {distance.p:.2f}; proxy A-distance "
            f"{distance.proxy:.2f} of 2): adaptation is not expected to help."
        )
    if len(found.confidence) and float(found.confidence.mean()) >= SURE and run.identity.recipe == SOURCE_ONLY:
        sure = 100 * float(found.confidence.mean())
        texts.append(f"The source model is already confident on the target ({sure:.0f} % on average).")
    never = [name for name, share in found.shares.items() if share == 0]
    if never:
        texts.append(f"No target row is predicted to be of {', '.join(never[:9])}: check whether the target has it.")
    texts += _label_shift(found, distance)
    texts += _ties(places)
    collapsed = [own.recipe for own in places if own.warnings]
    if collapsed:
        texts.append(f"Runs of {', '.join(collapsed)} warned of trouble and were passed over where others did not.")
    if run.identity.recipe == SOURCE_ONLY and len(places) > 1:
        texts.append("The choice is the model without adaptation: no recipe has a better score.")
    return texts


def _ties(places: Sequence[Scored]) -> list[str]:
    """Whether the best score is that of several recipes."""
    best = [own.recipe for own in _best(places)]
    return [f"The score cannot tell {', '.join(best)} apart: the first was taken."] if len(best) > 1 else []


def _label_shift(found: Predicted, distance: Distance) -> list[str]:
    """Whether classes seem to have other shares in the target, by the estimate and its interval."""
    own = found.proportions
    if own is None or own.doubt or len(own.moved) == 0:
        return []
    told = [
        f"{found.classes[place]} {100 * own.low[place]:.0f} to {100 * own.high[place]:.0f} % (in the source "
        f"{100 * own.source[place]:.0f} %)"
        for place in own.moved
    ]
    what = f"Other class shares than in the source are possible: {', '.join(told[:6])}."
    doubt = "" if distance.answer == "same" else ", which the distance between them leaves open"
    assumed = f"The estimate holds if a class looks the same on both sides{doubt}."
    return [f"{what} {assumed} Losses that align all rows of both sides can then do harm."]
