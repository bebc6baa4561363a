"""From a finished ledger to an outcome: the chosen checkpoints meet the sealed test rows, once, at the end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dareps.data._base import SplitData
from dareps.engine.conformal import calibration_of
from dareps.engine.evaluate import Evaluator, Found, scatter
from dareps.engine.guard import alarms
from dareps.engine.ledger import Ledger
from dareps.engine.outcome import Identity, Outcome, Selected, UnitScore
from dareps.engine.phases import target_labels
from dareps.engine.saving import save_model
from dareps.engine.state import DTYPES
from dareps.engine.votes import save_votes
from dareps.recipe.method import Method
from dareps.recipe.settings import Run
from dareps.transfer import Train
from dareps.types import Task

Scores = Mapping[int, Mapping[str, Found]]
"""Step -> task -> what the checkpoint says of the test rows."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has been trained or fitted.

    Attributes:
        method: A module of the run's shape; its weights are overwritten by those of the checkpoints.
        seconds: Wall time so far.
        waiting: Share of its training steps that was waiting for rows.
    """

    run: Run
    data: SplitData
    identity: Identity
    ledger: Ledger
    method: Method
    seconds: float
    waiting: float = 0.0


def outcome_of(own: Finished, device: torch.device, folder: Path, keep: bool) -> Outcome:
    """Score the chosen checkpoints, keep their votes, and save the kept one's model below `folder` when asked to."""
    run, ledger = own.run, own.ledger
    phases = [phase for phase in run.method.phases if isinstance(phase, Train)]
    count = target_labels(phases, own.data)
    last = phases[-1].streams if phases else None
    moves_on = last is not None and last.target == "labelled" and last.source is None
    reads_source = not phases or (any(phase.streams.source for phase in phases) and not moves_on)
    if ledger.failure:
        return Outcome(own.identity, "failed", count, own.seconds, ledger.failure, curves=ledger.curves)
    evaluator = Evaluator(own.data, device, DTYPES[run.engine.precision], run.engine.validation_rows)
    scores = {}
    for step, weights in ledger.snapshots.items():
        own.method.adopt(weights)
        scores[step] = evaluator.score(own.method)
    kept = ledger.best[run.engine.keep].step
    own.method.adopt(ledger.snapshots[kept])
    outputs = {task: found.outputs for task, found in scores[kept].items()}
    held = calibration_of(evaluator, own.method) if keep else None
    saved = save_model(folder, run, own.identity, own.data, own.method, outputs, held) if keep else ""
    lead = evaluator.lead
    if own.data.fixed_test and run.engine.predictions and lead.kind == "classification":
        labels = evaluator.test_labels()
        known = labels >= 0
        logits = {step: found[lead.name].outputs[known] for step, found in scores.items()}
        save_votes(folder, own.identity.key, labels[known], logits)
    figures = {
        task.name: tuple(_selected(type(rule).name, task, ledger, scores) for rule in run.engine.selection)
        for task in own.data.tasks
    }
    return Outcome(
        own.identity,
        "ok",
        count,
        own.seconds,
        warnings=(*ledger.warnings(lead.size, reads_source), *alarms(run, ledger)),
        selected=figures.pop(lead.name),
        curves=ledger.curves,
        scatter=_plots(own, evaluator, kept),
        folder=saved,
        others=figures,
        units=tuple(_units(own, scores)),
        waiting=own.waiting,
        pretrained=None if own.method.origin is None else own.method.origin.record(),
    )


def _units(own: Finished, scores: Scores) -> Iterator[UnitScore]:
    """Figures of each task on each test domain, for every rule's checkpoint."""
    for task, rule in itertools.product(own.data.tasks, own.run.engine.selection):
        name = type(rule).name
        step = own.ledger.best[name].step
        for domain, (rows, found) in scores[step][task.name].domains.items():
            figures = (found.primary, found.metrics, found.confusion, found.sums)
            yield UnitScore(task.name, domain, name, step, rows, *figures)


def _selected(rule: str, task: Task, ledger: Ledger, scores: Scores) -> Selected:
    best = ledger.best[rule]
    found = scores[best.step][task.name].scores
    source = ledger.curves.get(f"source.{task.name}") or ledger.curves["source_accuracy"]
    return Selected(
        selection=rule,
        step=best.step,
        score=best.score,
        source_metric=dict(source)[best.step],
        target_metric=found.primary,
        metrics=found.metrics,
        confusion=found.confusion,
    )


def _plots(own: Finished, evaluator: Evaluator, step: int) -> dict[str, Any] | None:
    """Scatters before and after training, for one seed: they are for looking at, not for counting."""
    if own.run.seed != 0 or not evaluator.drawn:
        return None
    after = scatter(evaluator.view(own.method, step), evaluator.source_labels)
    return {"before": own.ledger.before or after, "after": after}
