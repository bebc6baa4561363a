"""`dareps train`: one recipe on one split with one seed, in this process."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from dareps.commands._bars import RunBar, bar
from dareps.commands._device import uses_cuda
from dareps.commands._output import console, duration, note, say, waited, warn
from dareps.commands._records import read_record
from dareps.engine.identity import checkpoint_path
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import dump_run
from dareps.recipe.settings import Run
from dareps.recipe.yaml_io import dump
from dareps.suite.warned import warnings_told
from dareps.transfer import MappingReport, Train, read_report

if TYPE_CHECKING:
    import torch

    from dareps.engine.outcome import Outcome
    from dareps.suite.store import Store
    from dareps.tracking import Tracker

GROUP = "train"
STOPPED = 130
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def dry_run(run: Run) -> None:
    """Print the bound configuration and its key."""
    from dareps.suite.bench import keys_of

    say(dump(dump_run(run)).rstrip())
    try:
        say(f"# key: {keys_of([run])[0]}")
    except DataError as error:
        say(f"# key: not known without the data. {error}")


def guarded(run: Run, folder: Path) -> list[tuple[str, Any]]:
    """The overrides that let a run be compared with single-task runs in a folder; its guard's own settings stay."""
    from dareps.suite.alone import alone_scores

    guard = run.method.guard
    scores = {"scores": alone_scores(folder, run)}
    if guard is None:
        return [("guard", {"name": "baseline", **scores})]
    if guard.name != "baseline":
        fix = "Leave --baseline out, or set guard=baseline."
        raise ConfigError("--baseline", "the recipe has another guard", guard.name, fix)
    return [("guard.scores", scores["scores"])]


def train(run: Run, out: Path, device: str) -> int:
    """Train, or show the finished run of the same key; returns the exit code."""
    from dareps.suite.bench import keys_of
    from dareps.suite.store import Store

    one_thread()
    uses_cuda(device)
    key = keys_of([run])[0]
    store = Store(out / GROUP)
    with store.claimed(key):
        known = _stored(store, key)
        if known is not None:
            say("This run is finished already; nothing was trained.")
            show(known, store.folder)
            return 0
        _tell_of_relatives(store, run)
        _tell_of_checkpoint(run, checkpoint_path(store.folder, [key]))
        return _trained(run, key, store, device)


_SHARE: Final = "source_weight."


def show(outcome: Outcome, folder: Path) -> None:
    """Print what a run came to."""
    from rich.table import Table

    from dareps.engine.outcome import by_task
    from dareps.suite.forgetting import forgotten

    own = outcome.identity
    title = f"{own.recipe} on {own.dataset}/{own.split}, seed {own.seed}"
    table = Table(title=f"{title} ({duration(outcome.seconds)}{waited(outcome.waiting)})", title_justify="left")
    test = "target test %" if own.target else "test %"
    columns = ("selection", "step", "score", "source validation %" if own.target else "validation %", test)
    for name in (*(("task",) if outcome.others else ()), *columns):
        table.add_column(name, justify="left" if name in ("selection", "task") else "right")
    kept = own.config.get("engine", {}).get("keep", "") if outcome.folder else ""
    for share in by_task([outcome]):
        for row in share.selected:
            named = (share.identity.task,) if outcome.others else ()
            figures = (f"{row.score:.4g}", f"{100 * row.source_metric:.1f}", f"{100 * row.target_metric:.1f}")
            style = "bold" if row.selection == kept else ""
            table.add_row(*named, row.selection, str(row.step), *figures, style=style)
    console().print(table)
    if kept:
        say(f"Saved is the checkpoint chosen by {kept}; change it with engine.keep=RULE.")
    origin = read_report(outcome.pretrained)
    if origin is not None:
        say(origin.counts)
    if outcome.target_labels:
        say(f"Training saw {outcome.target_labels} target labels.")
    _tell_of_sources(outcome)
    for task, (before, after) in forgotten(outcome).items():
        told = f"{before:.3f} when it had been learned, {after:.3f} at the end"
        say(f"Forgetting: {task} on source validation rows {told}.")
    for text in outcome.warnings:
        warn(text)
    if outcome.folder:
        model = folder / outcome.folder
        say(f"Model: {model}")
        say(f"Use it: dareps predict {shlex.quote(str(model))} FILE")


def one_thread() -> None:
    """Compute on one thread unless the user has set a number; to be called before numpy is imported."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")


@dataclass(slots=True)
class Stop:
    """Whether the user asked to stop."""

    asked: bool = False

    def __call__(self) -> bool:
        """True once Ctrl-C was pressed."""
        return self.asked


@contextmanager
def stopping(text: str) -> Iterator[Stop]:
    """Ctrl-C or a termination signal asks to stop; a second one ends the process the usual way."""
    stop = Stop()
    usual = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: FrameType | None) -> None:
        stop.asked = True
        signal.signal(number, usual[number])
        note(text)

    for number in usual:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def _trained(run: Run, key: str, store: Store, device: str) -> int:
    """Train and keep the outcome; the tracker hears of it in any case."""
    from dareps.engine.device import device_of
    from dareps.engine.loop import Stopped
    from dareps.suite.bench import info_of, summary_of
    from dareps.tracking import make_tracker

    place = device_of(device)
    tracker = make_tracker(store.folder, single=True)
    tracker.start(info_of(run, key, GROUP))
    try:
        outcome = _watched(run, key, store.folder, place, tracker)
        tracker.finish(key, summary_of(outcome), failed=outcome.status == "failed")
    except Stopped:
        return STOPPED
    finally:
        for text in tracker.close():
            warn(text)
    return _kept(outcome, store)


def _watched(run: Run, key: str, folder: Path, place: torch.device, tracker: Tracker) -> Outcome:
    """Train under a progress bar; Ctrl-C stops at the next flush, which raises `Stopped`."""
    from dareps.engine.execute import Surroundings, execute
    from dareps.engine.loop import Stopped
    from dareps.engine.progress import Report

    if place.type == "cpu":
        _torch_on_one_thread()
    reached = 0
    asked = stopping("stopping after a checkpoint; Ctrl-C again ends at once")
    with asked as stop, warnings_told(warn), bar("steps") as bars:
        progress = RunBar(bars, bars.add_task(run.recipe, total=_total(run) or None, text=""))

        def report(state: Report) -> None:
            nonlocal reached
            reached = state.step
            tracker.log(key, state.step, state.values.get(run.seed, {}))
            progress(state)

        surroundings = Surroundings(folder, place, report, stop, strict=True, tell=_tell_of_weights)
        try:
            [outcome] = execute([run], surroundings)
        except Stopped:
            note(f"Stopped at step {reached} of {_total(run)}. The same command continues from there.")
            raise
    return outcome


def _kept(outcome: Outcome, store: Store) -> int:
    store.save(outcome)
    checkpoint_path(store.folder, [outcome.identity.key]).unlink(missing_ok=True)
    if outcome.status == "failed":
        note(f"error: the run failed: {outcome.error}")
        return 1
    show(outcome, store.folder)
    return 0


def _torch_on_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _stored(store: Store, key: str) -> Outcome | None:
    """The finished run of this key, stale in the eyes of tables or not."""
    if key not in store.finished():
        return None
    every = [*store.outcomes(details=False), *store.outcomes(stale=True, details=False)]
    return next(outcome for outcome in every if outcome.identity.key == key)


def _tell_of_relatives(store: Store, run: Run) -> None:
    """Say so when a finished run differs in its number of steps alone."""
    mine = dump_run(run)
    for outcome in [*store.outcomes(), *store.outcomes(stale=True)]:
        other = outcome.identity.config
        if outcome.status == "ok" and other != mine and _without_steps(other) == _without_steps(mine):
            counts = f"{_steps(other)} steps; {_steps(mine)} steps"
            note(f"A run like this one is finished with {counts} are a new run, trained from the start.")
            return


def _tell_of_sources(outcome: Outcome) -> None:
    """Say how much each source counted in the end, where they did not count the same."""
    shares = [(name, curve[-1][1]) for name, curve in outcome.curves.items() if name.startswith(_SHARE)]
    if shares:
        say(f"Sources count: {', '.join(f'{name.removeprefix(_SHARE)} {share:.2f}' for name, share in shares)}.")


def _tell_of_weights(report: MappingReport) -> None:
    """Say what became of every tensor that was not simply loaded."""
    for line in report.lines():
        say(line)


def _tell_of_checkpoint(run: Run, path: Path) -> None:
    record = read_record(path) if path.exists() else {}
    if {"phase", "step"} <= record.keys():
        note(f"Continuing at step {sum(_lengths(run)[: record['phase']]) + record['step']} of {_total(run)}.")


def _lengths(run: Run) -> list[int]:
    return [phase.steps or 0 for phase in run.method.phases if isinstance(phase, Train)]


def _total(run: Run) -> int:
    return sum(_lengths(run))


def _without_steps(config: Mapping[str, Any]) -> Mapping[str, Any]:
    phases = [{key: item for key, item in phase.items() if key != "steps"} for phase in config["method"]["phases"]]
    return {**config, "method": {**config["method"], "phases": phases, "plugins": ()}, "engine": config["engine"]}


def _steps(config: Mapping[str, Any]) -> int:
    return sum(phase.get("steps") or 0 for phase in config["method"]["phases"])
