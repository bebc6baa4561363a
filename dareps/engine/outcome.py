"""What a run leaves behind: plain data that crosses process borders and goes into the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Status = Literal["ok", "failed"]


@dataclass(frozen=True, slots=True)
class Selected:
    """The checkpoint that one selection rule chose, and its figures.

    Attributes:
        selection: Name of the rule.
        step: The chosen checkpoint's step, counted over all phases.
        score: The rule's score there.
        source_metric: The task's main metric on source validation rows: accuracy, R^2 or mean average precision.
        target_metric: The same on target test rows.
        metrics: Further figures on target test rows, for classes `balanced_accuracy`, `macro_f1` and
            `calibration_error`.
        confusion: Target test counts, row = true class, column = predicted class; empty without classes.
    """

    selection: str
    step: int
    score: float
    source_metric: float
    target_metric: float
    metrics: dict[str, float]
    confusion: list[list[int]]


@dataclass(frozen=True, slots=True)
class UnitScore:
    """What the checkpoint of one selection rule says of one unit: a task on one domain of the test rows.

    Attributes:
        selection: Name of the rule.
        step: The chosen checkpoint's step.
        rows: Test rows of the domain that have a label of the task.
        value: The task's main metric on them.
        metrics: Further figures on them.
        confusion: Counts of classes, as in `Selected`.
        sums: What figures of all rows together are made of, as in `dareps.tasks.Scores`.
    """

    task: str
    domain: str
    selection: str
    step: int
    rows: int
    value: float
    metrics: dict[str, float]
    confusion: list[list[int]] = field(default_factory=list)
    sums: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a run the run it is.

    Attributes:
        key: Digest of the bound configuration, the data and the plug-ins' versions.
        recipe: The recipe's name in tables.
        source: Source domains joined by `+`; `target` likewise.
        task: The first task of classes, else the first.
        config: The bound configuration, ready for YAML.
    """

    key: str
    recipe: str
    dataset: str
    source: str
    target: str
    task: str
    protocol: str
    seed: int
    config: dict[str, Any]

    @property
    def split(self) -> str:
        """`source:target`, or the domains alone where there is no target."""
        return ":".join(side for side in (self.source, self.target) if side)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run.

    Attributes:
        target_labels: How many target labels training saw.
        seconds: Wall time of training and evaluation.
        waiting: Share of the time of training steps that went by until their rows were there; not stored.
        error: For a failed run: what broke, where and at which step.
        warnings: Collapse and the like, a sentence each.
        selected: One entry per selection rule, for the identity's task; empty when the run failed.
        others: The same for every further task: the same checkpoints, other figures.
        units: Figures of each task on each domain of the test rows, one entry per selection rule.
        further: Whether this is a further task's share of a run, as `by_task` gives it.
        curves: name -> [(step, value), ...] for losses by part, validator scores and metrics.
        scatter: 2-d features of target test and source validation rows, before and after training, for the report:
            {"before": {"x": (n, 2), "domain": [...], "label": [...]}, "after": ...}; None when not asked for.
        folder: Where the model was saved, relative to the output folder.
            pretrained: What became of every tensor of a file of weights, as `MappingReport.record` says it.
    """

    identity: Identity
    status: Status
    target_labels: int = 0
    seconds: float = 0.0
    error: str = ""
    warnings: tuple[str, ...] = ()
    selected: tuple[Selected, ...] = ()
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    scatter: dict[str, Any] | None = None
    folder: str = ""
    others: dict[str, tuple[Selected, ...]] = field(default_factory=dict)
    further: bool = False
    units: tuple[UnitScore, ...] = ()
    pretrained: dict[str, Any] | None = None
    waiting: float = 0.0


def by_task(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """One outcome per run and task, each with that task's name, figures and curves; doing it again changes nothing."""
    return [
        own for outcome in outcomes for own in (_lead(outcome), *(_further(outcome, task) for task in outcome.others))
    ]


def _lead(outcome: Outcome) -> Outcome:
    if not outcome.others:
        return outcome
    task = outcome.identity.task
    return replace(outcome, others={}, curves=_curves(outcome, task), units=_units(outcome, task))


def _further(outcome: Outcome, task: str) -> Outcome:
    return replace(
        outcome,
        identity=replace(outcome.identity, task=task),
        selected=outcome.others[task],
        others={},
        further=True,
        curves=_curves(outcome, task),
        scatter=None,
        units=_units(outcome, task),
    )


def _units(outcome: Outcome, task: str) -> tuple[UnitScore, ...]:
    return tuple(own for own in outcome.units if own.task == task)


def _curves(outcome: Outcome, task: str) -> dict[str, list[tuple[int, float]]]:
    """Curves with one task's figures on the source, and without those of several tasks together."""
    together = ("source_accuracy", "score.oracle")
    own = {name: curve for name, curve in outcome.curves.items() if name not in together}
    source = own.get(f"source.{task}")
    return own if source is None else {**own, "source_metric": source}
