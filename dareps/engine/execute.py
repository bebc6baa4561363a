"""Runs from start to outcome: data, training or fitting, scoring, the saved model."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from dareps.data._base import SplitData
from dareps.engine.beginnings import Beginnings
from dareps.engine.building import build_method, split_of
from dareps.engine.evaluate import Evaluator
from dareps.engine.fault import fault_line
from dareps.engine.identity import checkpoint_path, identity_of
from dareps.engine.ledger import Ledger
from dareps.engine.loop import Hooks, Stopped, Trainer
from dareps.engine.memory import keep_freed_memory
from dareps.engine.outcome import Identity, Outcome
from dareps.engine.population import STACK
from dareps.engine.progress import Report
from dareps.engine.resume import Checkpointer
from dareps.engine.scoring import Finished, outcome_of
from dareps.engine.shallow import fit_shallow
from dareps.engine.state import DTYPES
from dareps.errors import CheckpointError, ConfigError, ContractError, DarepsError, DataError, StoreError
from dareps.recipe.bind import run_key
from dareps.recipe.settings import Run
from dareps.transfer import MappingReport


@dataclass(slots=True)
class Surroundings:
    """Where and for whom runs are executed.

    Attributes:
        folder: Output folder; checkpoints and models go below it.
        device: Where to train.
        report: Called at every flush.
        stop: Asked at every flush; true ends training after a checkpoint.
        save: Which seeds' models are kept; None keeps all.
        tell: Told what became of a file of weights, before training.
        strict: Raise a mistake of the user's that only shows when the method is built, instead of failing the runs.
    """

    folder: Path
    device: torch.device
    report: Callable[[Report], None] = field(default=lambda _: None)
    stop: Callable[[], bool] = field(default=lambda: False)
    save: frozenset[int] | None = None
    strict: bool = False
    tell: Callable[[MappingReport], None] = field(default=lambda _: None)


def execute(runs: Sequence[Run], surroundings: Surroundings) -> list[Outcome]:
    """Carry out runs that differ in their seed only; every one of them gets an outcome.

    Raises:
        Stopped: The surroundings asked to stop; a checkpoint was left.
        StoreError: The output folder cannot be written.
        ConfigError: When `strict`: the parts do not fit each other or the data.
        DataError: When `strict`: the data cannot be used.
    """
    keep_freed_memory()
    identities = [identity_of(run, run_key(run, "unread")) for run in runs]
    clock = time.monotonic()
    try:
        splits = [split_of(run) for run in runs]
        data = [own.restricted(run.tasks) for run, own in zip(runs, splits, strict=True)]
        identities = [identity_of(run, run_key(run, own.checksum)) for run, own in zip(runs, data, strict=True)]
        if runs[0].method.shallow:
            return [_shallow(*triple, surroundings) for triple in zip(runs, data, identities, strict=True)]
        try:
            return _train(runs, data, identities, surroundings)
        except ContractError as error:
            if len(runs) == 1 or error.where != STACK:
                raise
            warnings.warn(f"{STACK}: {error.what}; the seeds train one by one.", stacklevel=2)
        return _one_by_one(runs, identities, surroundings)
    except (Stopped, StoreError):
        raise
    except DarepsError as error:
        if surroundings.strict and isinstance(error, ConfigError | DataError):
            raise
        failure = str(error)
    except Exception as error:  # a part of the recipe broke; the suite goes on
        failure = fault_line(error, surroundings.folder, identities[0].key)
    seconds = time.monotonic() - clock
    return [Outcome(own, "failed", seconds=seconds / len(runs), error=failure) for own in identities]


def _train(
    runs: Sequence[Run], data: Sequence[SplitData], identities: Sequence[Identity], surroundings: Surroundings
) -> list[Outcome]:
    keys = [own.key for own in identities]
    keeper = Checkpointer(checkpoint_path(surroundings.folder, keys), keys, runs[0].engine.checkpoint_seconds)
    hooks = Hooks(surroundings.report, surroundings.stop, keeper.due)
    stacked = True if runs[0].engine.stack and len(runs) > 1 else None
    trainer = Trainer(runs, data, surroundings.device, hooks, stacked)
    if trainer.population.method.origin is not None:
        surroundings.tell(trainer.population.method.origin)
    beginnings = Beginnings(surroundings.folder, runs, [own.checksum for own in data])
    hooks.between = lambda trainer: beginnings.keep(trainer, keeper.elapsed)
    try:
        if not keeper.resume(trainer):
            keeper.spent += beginnings.enter(trainer)
    except CheckpointError as error:
        warnings.warn(f"{error} The run starts afresh.", stacklevel=2)
        trainer = Trainer(runs, data, surroundings.device, hooks, stacked)
    try:
        ledgers = trainer.train()
    except Stopped:
        keeper.write(trainer)
        raise
    seconds = keeper.elapsed / len(runs)
    outcomes = []
    for copy, ledger in enumerate(ledgers):
        method = trainer.population.single(copy)
        own = Finished(runs[copy], data[copy], identities[copy], ledger, method, seconds, trainer.clock.share)
        outcomes.append(_scored(own, surroundings))
    return outcomes


def _one_by_one(runs: Sequence[Run], identities: Sequence[Identity], surroundings: Surroundings) -> list[Outcome]:
    """Runs that no stack can hold; where one is stopped, those before it go on from their last checkpoints."""
    found = [outcome for run in runs for outcome in execute([run], surroundings)]
    for own in identities:
        checkpoint_path(surroundings.folder, [own.key]).unlink(missing_ok=True)
    return found


def _shallow(run: Run, data: SplitData, own: Identity, surroundings: Surroundings) -> Outcome:
    clock = time.monotonic()
    method = build_method(run, data).to(device=surroundings.device, dtype=DTYPES[run.engine.precision])
    ledger = Ledger()
    fit_shallow(run, data, method)
    evaluator = Evaluator(data, surroundings.device, DTYPES[run.engine.precision], run.engine.validation_rows)
    view = evaluator.view(method, 0)
    weights = {name: value.detach().clone() for name, value in method.state_dict().items()}
    ledger.judge(view, run.engine.selection, partial(evaluator.opened, method), lambda: weights)
    surroundings.report(Report(0, 0, {run.seed: ledger.at(0)}))
    return _scored(Finished(run, data, own, ledger, method, time.monotonic() - clock), surroundings)


def _scored(own: Finished, surroundings: Surroundings) -> Outcome:
    keep = surroundings.save is None or own.run.seed in surroundings.save
    return outcome_of(own, surroundings.device, surroundings.folder, keep)
