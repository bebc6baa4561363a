"""Finished runs as flat results: one per run and selection rule."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dareps.data._base import Dataset
from dareps.data.split import plain
from dareps.engine.outcome import Identity, Outcome, Selected, by_task
from dareps.plugin import plugins

AVERAGE: Final = "average"
CHOSEN: Final = "chosen"
ORACLE: Final = "oracle"
SOURCE_ONLY: Final = "source_only"
TARGET_ONLY: Final = "target_only"
SOURCE_SCORE: Final = "source_score"
UNSCORED: Final = frozenset({"last"})
"""Rules whose score is the same for every seed and recipe."""
BOUNDS: Final = (SOURCE_ONLY, TARGET_ONLY)

LISTED: Final = 4
"""Up to this many domains a split's name lists."""

Place = tuple[str, int]
"""A split and a seed: where two recipes are compared as a pair."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one selection rule made of one run.

    Attributes:
        dataset: The dataset's name in tables, see `dataset_name`.
        split: `source:target`.
        score: The rule's score at the checkpoint that it chose, as far as it speaks of this task; NaN where not.
        value: The task's main metric on test rows there: accuracy, R^2 or mean average precision.
        regret: The same at the oracle's checkpoint of the same run minus `value`; None without an oracle.
        run: The run's key.
        step: The checkpoint's step.
        inputs: The settings of the data, which say what the network read, but for a learned representation.
        votes: Whether the run's predictions, where they are kept, are of this task.
    """

    dataset: str
    split: str
    recipe: str
    selection: str
    seed: int
    score: float
    value: float
    regret: float | None
    target_labels: int
    run: str
    step: int
    inputs: str = ""
    votes: bool = True

    @property
    def place(self) -> Place:
        """Where this result pairs with those of other recipes."""
        return self.split, self.seed


def dataset_name(run: Identity) -> str:
    """The dataset's name in tables; a protocol other than the default stands in brackets: `digits[paper]`."""
    return run.dataset if run.protocol == "inductive" else f"{run.dataset}[{run.protocol}]"


def split_name(run: Identity) -> str:
    """`source:target`, or the domains alone where there is no target; many that are all of a dataset are counted."""
    domains = run.source.split("+")
    known = plugins(Dataset).get(plain(run.dataset))
    if run.target or len(domains) <= LISTED or known is None or len(domains) < len(known.domains):
        return run.split
    return f"all {len(domains)} domains"


def baseline_among(names: str, recipes: Iterable[str]) -> str:
    """The first of several baselines, separated by commas, that is among the recipes; the first one where none is."""
    wanted = [name.strip() for name in names.split(",")]
    known = set(recipes)
    return next((name for name in wanted if name in known), wanted[0])


def table_names(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], str]:
    """(dataset, task) -> table name: the dataset's, with the task behind a slash where a dataset has several."""
    pairs = {(dataset_name(outcome.identity), outcome.identity.task) for outcome in by_task(outcomes)}
    count = {dataset: sum(other == dataset for other, _ in pairs) for dataset, _ in pairs}
    return {(dataset, task): dataset if count[dataset] == 1 else f"{dataset}/{task}" for dataset, task in pairs}


def results(outcomes: Iterable[Outcome]) -> list[Result]:
    """The results of all runs that ended well, by task; figures that are not finite are left out."""
    outcomes = by_task(outcomes)
    names = table_names(outcomes)
    found: list[Result] = []
    for outcome in outcomes:
        run = outcome.identity
        inputs = json.dumps(_plain(run.config.get("data")), sort_keys=True, default=str)
        best = {row.selection: row.target_metric for row in outcome.selected}.get(ORACLE)
        found += [
            Result(
                dataset=names[dataset_name(run), run.task],
                split=split_name(run),
                recipe=run.recipe,
                selection=row.selection,
                seed=run.seed,
                score=_score(outcome, row),
                value=row.target_metric,
                regret=None if best is None else round(best - row.target_metric, 12),
                target_labels=outcome.target_labels,
                run=run.key,
                step=row.step,
                inputs=inputs,
                votes=not outcome.further,
            )
            for row in outcome.selected
            if outcome.status == "ok" and math.isfinite(row.target_metric)
        ]
    return found


def _score(outcome: Outcome, row: Selected) -> float:
    """What compares recipes in a task's table: of the rule that looks at all tasks, the part that is this task's.

    Other rules look at the first task of classes, and say nothing of a further one.
    """
    if row.selection == SOURCE_SCORE:
        return row.source_metric
    return math.nan if outcome.further and row.selection not in UNSCORED else row.score


def _plain(data: object) -> object:
    """Settings of the data without the representation, of which no validator sees more than the network's outputs."""
    return {name: own for name, own in data.items() if name != "representation"} if isinstance(data, dict) else data
