"""A suite from runs to results: what is finished is skipped, what finishes is stored at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dareps.engine.identity import checkpoint_path, identity_of
from dareps.engine.outcome import Identity, Outcome
from dareps.recipe.bind import dump_run, run_key
from dareps.recipe.settings import Run
from dareps.suite.jobs import Event, Job, Workers
from dareps.suite.store import Store
from dareps.tracking import RunInfo, Tracker


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person who watches wants to see.

    Attributes:
        kind: `started`, `progress`, `warning`, `done`, `failed`, `retry`.
        label: Recipe, split and seed.
        share: How much of the job is done, 0 to 1.
        text: Details: an error or warnings.
        job: Number of the job.
        runs: How many runs the job carries out together.
        seconds: What a finished run took.
        waiting: Share of the time of its training steps that went by until their rows were there.
    """

    kind: str
    label: str
    share: float = 0.0
    text: str = ""
    job: int = 0
    runs: int = 1
    seconds: float = 0.0
    waiting: float = 0.0


@dataclass(slots=True)
class Bench:
    """Carries out runs and keeps their outcomes.

    Attributes:
        store: Where outcomes go.
        tracker: Where they are shown besides.
        group: What the runs belong to: the suite's name.
        workers: Number of processes.
        device: Name of the device.
        save: Seeds whose models are kept; None keeps all.
        notify: Told what happens.
        stop: Asked now and then; true ends the runs in progress after a checkpoint.
    """

    store: Store
    tracker: Tracker
    group: str
    workers: int
    device: str
    save: frozenset[int] | None = None
    notify: Callable[[Notice], None] = field(default=lambda _: None)
    stop: Callable[[], bool] = field(default=lambda: False)

    def run(self, runs: Sequence[Run], stack: bool) -> list[Outcome]:
        """Carry out the runs that are not finished; returns the new outcomes.

        Raises:
            DarepsError: Something that no further run could survive, for instance a full disk.
        """
        todo = self.unfinished(runs)
        jobs, keys = group_jobs(todo, stack)
        pool = Workers(self.store.folder, self.device, self.workers, self.save, self.stop)
        found: list[Outcome] = []
        events = pool.run(jobs)
        try:
            for event in events:
                found += self._handle(event, keys[event.job.number])
        finally:
            events.close()  # type: ignore[attr-defined]
        return found

    def unfinished(self, runs: Sequence[Run]) -> list[tuple[Run, str]]:
        """The runs that the store does not hold, each once, with their keys."""
        done = self.store.finished()
        missing = {key: run for run, key in zip(runs, keys_of(runs), strict=True) if key not in done}
        return [(run, key) for key, run in missing.items()]

    def _handle(self, event: Event, members: Sequence[tuple[Run, str]]) -> list[Outcome]:
        label = _label([run for run, _ in members])
        if event.kind == "started":
            for run, key in members:
                self.tracker.start(info_of(run, key, self.group))
            self.notify(Notice("started", label, job=event.job.number, runs=len(members)))
        elif event.kind == "progress":
            self._progress(event, members, label)
        elif event.kind == "warning":
            self.notify(Notice("warning", label, text=event.value))
        elif event.kind == "died":
            self.notify(Notice("retry", label, text=f"{event.value}; trying once more"))
        elif event.kind == "lost":
            error = f"{event.value}, and again when tried once more"
            lost = [Outcome(identity_of(run, key), "failed", error=error) for run, key in members]
            return self._finish(lost, event.job.number)
        elif event.kind == "done":
            return self._finish(event.value, event.job.number)
        elif event.kind == "fault":
            raise event.value
        return []

    def _progress(self, event: Event, members: Sequence[tuple[Run, str]], label: str) -> None:
        step, total, values = event.value
        for run, key in members:
            self.tracker.log(key, step, values.get(run.seed, {}))
        self.notify(Notice("progress", label, step / max(total, 1), "", event.job.number, len(members)))

    def _finish(self, outcomes: Iterable[Outcome], job: int) -> list[Outcome]:
        kept = list(outcomes)
        for outcome in kept:
            self.store.save(outcome)
            self.tracker.finish(outcome.identity.key, summary_of(outcome), failed=outcome.status == "failed")
            failed = outcome.status == "failed"
            text = outcome.error if failed else "; ".join(outcome.warnings)
            kind = "failed" if failed else "done"
            self.notify(
                Notice(
                    kind, label_of(outcome.identity), 1.0, text, job, seconds=outcome.seconds, waiting=outcome.waiting
                )
            )
        keys = [outcome.identity.key for outcome in kept]
        checkpoint_path(self.store.folder, keys).unlink(missing_ok=True)
        return kept


def keys_of(runs: Sequence[Run]) -> list[str]:
    """Keys of the runs; the data's checksum is taken once per set of domains."""
    memo: dict[tuple[Any, ...], str] = {}
    keys = []
    for run in runs:
        place = (run.data, tuple(run.source), tuple(run.target))
        if place not in memo:
            memo[place] = run.data.checksum(tuple(run.source) + tuple(run.target))
        keys.append(run_key(run, memo[place]))
    return keys


def group_jobs(todo: Sequence[tuple[Run, str]], stack: bool) -> tuple[list[Job], list[list[tuple[Run, str]]]]:
    """Jobs of one run each, or of all seeds of a recipe on a split when seeds are stacked."""

    def place(member: tuple[Run, str]) -> object:
        run = member[0]
        return run.model_copy(update={"seed": 0}) if stack and run.method.stacks else member[1]

    groups = [list(members) for _, members in itertools.groupby(todo, key=place)]
    jobs = [Job(number, tuple(dump_run(run) for run, _ in members)) for number, members in enumerate(groups)]
    return jobs, groups


def info_of(run: Run, key: str, group: str) -> RunInfo:
    """How a run appears in a tracker."""
    split = f"{run.dataset}/{run.split}"
    name = f"{run.recipe} {split} seed {run.seed}"
    return RunInfo(key, name, group, run.recipe, (split, run.dataset, run.protocol), {**dump_run(run), "key": key})


def summary_of(outcome: Outcome) -> dict[str, Any]:
    """The figures that a tracker shows beside a run's name."""
    figures: dict[str, Any] = {"status": outcome.status, "target_labels": outcome.target_labels}
    if outcome.error:
        figures["error"] = outcome.error
    if outcome.pretrained is not None:
        figures["pretrained"] = outcome.pretrained
    for own in outcome.selected:
        figures[f"{own.selection}/step"] = own.step
    for task, rows in (("", outcome.selected), *outcome.others.items()):
        for own in rows:
            head = f"{own.selection}/{task}/" if task else f"{own.selection}/"
            figures |= {f"{head}target_metric": own.target_metric, f"{head}source_metric": own.source_metric}
    return figures


def label_of(identity: Identity) -> str:
    """Recipe, split and seed of a run in a line."""
    return f"{identity.recipe} {identity.dataset}/{identity.split} seed {identity.seed}"


def _label(runs: Sequence[Run]) -> str:
    first = runs[0]
    seeds = ",".join(str(run.seed) for run in runs)
    return f"{first.recipe} {type(first.data).name}/{first.split} seed {seeds}"
