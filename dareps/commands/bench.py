"""`dareps bench` and `dareps report`: a suite from start to report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dareps.commands._bars import SuiteBar, bar
from dareps.commands._device import cores, uses_cuda
from dareps.commands._output import console, duration, note, say, warn
from dareps.commands.train import STOPPED, one_thread, stopping
from dareps.errors import ConfigError, DataError, StoreError
from dareps.recipe.settings import Run
from dareps.suite._files import refuse_tuning
from dareps.suite._results import SOURCE_ONLY
from dareps.suite.expand import expand, splits_of
from dareps.suite.settings import Suite
from dareps.suite.warned import warnings_told

if TYPE_CHECKING:
    from dareps.engine.outcome import Outcome
    from dareps.suite.apart import Comparison
    from dareps.suite.store import Store
    from dareps.tracking import Tracker

SAVED = frozenset({0})
"""Seeds whose models a suite keeps."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A suite as the command line changes it.

    Attributes:
        title: The suite's name, and that of its output folder.
        recipes: Names to keep, or to add.
        workers: None for as many as there are cores.
    """

    title: str
    suite: Suite
    out: Path
    seeds: int | None = None
    recipes: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    overrides: tuple[tuple[str, Any], ...] = ()
    plugins: tuple[str, ...] = ()
    workers: int | None = None
    device: str = "auto"

    def runs(self) -> list[Run]:
        """The runs asked for."""
        return expand(self.suite, self.seeds, self.recipes, self.splits, self.overrides, self.plugins)

    def whole(self) -> list[Run]:
        """All runs of the suite under the same settings."""
        seeds = max(self.seeds or 0, self.suite.seeds)
        return expand(self.suite, seeds, (), (), self.overrides, self.plugins)

    def comparison(self) -> Comparison:
        """What the suite compares, on its own splits and on those asked for."""
        from dareps.suite.apart import comparison_of

        splits = [*splits_of(self.suite), *splits_of(self.suite, self.splits)]
        return comparison_of(self.suite.compared_with, {own.name: own.apart for own in self.suite.entries}, splits)


def bench(wanted: Wanted) -> int:
    """Carry out what is missing of a suite and report on all of it; returns the exit code."""
    from dareps.suite.bench import keys_of
    from dareps.suite.store import Store
    from dareps.tracking import make_tracker

    clock = time.monotonic()
    one_thread()
    with warnings_told(warn):
        runs = wanted.runs()
    cuda = uses_cuda(wanted.device)
    _check_headline(wanted.suite, runs)
    keys = keys_of(runs)
    refuse_tuning(wanted.out / wanted.title)
    store = Store(wanted.out / wanted.title)
    with store.exclusive():
        store.mark_expected({*keys, *_finished_elsewhere(store, wanted)})
        wanted.comparison().keep(store)
        tracker = make_tracker(store.folder)
        try:
            stopped, failures = carried_out(wanted, runs, store, tracker, cuda)
            if wanted.suite.advice and not stopped:
                stopped = _measured(wanted, store)
            ready = publish(store.folder, wanted.title, wanted.suite.headline)
            if ready and not stopped:
                tracker.suite(_info(wanted), store.folder / "leaderboard.csv", store.folder / "report.html")
        finally:
            for text in tracker.close():
                warn(text)
    return ended(clock, stopped, failures)


def ended(clock: float, stopped: bool, failures: Sequence[str]) -> int:
    """Say how it ended since the `clock` was read; returns the exit code."""
    say(f"{duration(time.monotonic() - clock)} in all")
    for text in failures:
        note(f"failed: {text}")
    if stopped:
        note("Stopped. The same command continues where it left off.")
        return STOPPED
    return 1 if failures else 0


def report(folder: Path, selection: str) -> int:
    """Write the exports and the report of an output folder anew, and print its leaderboard."""
    from dareps.suite.store import Store

    if not folder.is_dir():
        raise StoreError(str(folder), "there is no such folder", fix="Name a folder that dareps bench or train wrote.")
    refuse_tuning(folder)
    Store(folder, create=False)
    publish(folder, folder.resolve().name, selection)
    return 0


def publish(folder: Path, title: str, selection: str) -> bool:
    """Write report and exports, print the leaderboard and what was chosen; False when no run has finished."""
    from dareps.report import console_leaderboard, console_notes, write_report
    from dareps.suite.apart import standing
    from dareps.suite.store import Store

    page = write_report(folder, title=title, selection=selection)
    outcomes = standing(Store(folder, create=False), details=False)
    console().print(console_leaderboard(folder, selection=selection))
    for line in console_notes(folder, selection=selection):
        warn(line)
    for line in chosen(outcomes, selection):
        say(line)
    say(f"Report: {page}")
    return any(outcome.status == "ok" for outcome in outcomes)


def chosen(outcomes: Sequence[Outcome], selection: str) -> list[str]:
    """Which recipe the label-free rule prefers on each dataset, and on how many runs."""
    from collections import Counter

    from dareps.report.console import MANY
    from dareps.suite._results import results
    from dareps.suite.statistics import best_recipe, comparable

    if not comparable(selection):
        return []
    best = best_recipe(results(outcomes), selection)
    lines = []
    for dataset in sorted({place[0] for place in best}):
        counts = Counter(result.recipe for place, result in best.items() if place[0] == dataset)
        total = sum(counts.values())
        names = ", ".join(f"{name} ({count} of {total})" for name, count in counts.most_common())
        lines.append(f"Chosen on {dataset} by {selection}, without target labels: {names}")
    return (
        lines
        if len(lines) <= MANY
        else [f"Chosen by {selection}: one recipe for each of {len(lines)} tasks, in the report"]
    )


def carried_out(
    wanted: Wanted,
    runs: Sequence[Run],
    store: Store,
    tracker: Tracker,
    cuda: bool,
    saved: frozenset[int] | None = SAVED,
    over: Callable[[], bool] = lambda: False,
) -> tuple[bool, list[str]]:
    """Whether it was stopped, by the user or because time is `over`, and which runs failed."""
    from dareps.suite.bench import Bench

    stack = runs[0].engine.stack
    workers = wanted.workers or (1 if cuda else cores())
    with stopping("stopping; runs in progress leave a checkpoint") as stop, bar("") as bars:
        own = Bench(store, tracker, wanted.title, workers, wanted.device, saved, stop=lambda: stop() or over())
        todo = len(own.unfinished(runs))
        if len(runs) > todo:
            note(f"{len(runs) - todo} of {len(runs)} runs are finished already.")
        watcher = SuiteBar(bars, bars.add_task(wanted.title, total=max(todo, 1), text=""), todo)
        own.notify = watcher
        own.run(runs, cuda if stack is None else stack)
        stopped = stop.asked or over()
    return stopped, watcher.failures


def _measured(wanted: Wanted, store: Store) -> bool:
    """Keep what `dareps route --advise` measures on the splits, which takes a model of each source; whether stopped."""
    from dareps.suite.advise import measure_all
    from dareps.suite.hindsight import keep, told_in

    names = (*(entry.name for entry in wanted.suite.entries), SOURCE_ONLY)
    runs = [own for own in replace(wanted, recipes=names).runs() if own.recipe == SOURCE_ONLY]
    done = {own.key for own in told_in(store)}
    with stopping("stopping; what has been measured is kept") as stop, bar("") as bars:
        task = bars.add_task("advice", total=len(runs), completed=0, text="")
        for told in measure_all(runs, done):
            keep(store, told)
            bars.advance(task)
            if stop.asked:
                break
        return bool(stop.asked)


def _finished_elsewhere(store: Store, wanted: Wanted) -> set[str]:
    """Finished runs of the suite beyond those asked for: a command for a part must not make the rest stale."""
    from dareps.suite.bench import keys_of

    done, found = store.finished(), set[str]()
    if done and (wanted.recipes or wanted.splits or wanted.seeds):
        with suppress(ConfigError):  # What is set need not fit the data of splits that are not asked for.
            for _, group in groupby(wanted.whole(), key=lambda run: (run.data, run.source, run.target)):
                with suppress(DataError):  # These may be missing.
                    found |= done.intersection(keys_of(list(group)))
    return found


def _check_headline(suite: Suite, runs: Sequence[Run]) -> None:
    """Refuse before the first run what the report would refuse after the last, and a rule that no run selects by.

    Where runs lack the rule that nobody asked for, as those without a target do, the report names the one it takes.
    """
    from dareps.plugin import suggestion

    headline = suite.headline
    rules = {type(rule).name: rule.oracle for run in runs for rule in run.engine.selection}
    label_free = [name for name, oracle in rules.items() if not oracle]
    if rules.get(headline):
        fix = f"Label-free rules: {', '.join(label_free)}."
        raise ConfigError("suite headline", "the oracle sees target labels and is never the headline", headline, fix)
    if headline not in rules and "headline" in suite.model_fields_set:
        what = "no selected rule has this name"
        raise ConfigError("suite headline", what, headline, suggestion(headline, label_free))


def _info(wanted: Wanted) -> Any:
    from dareps.tracking import RunInfo

    config = {**wanted.suite.model_dump(), "overrides": dict(wanted.overrides)}
    return RunInfo(f"suite-{wanted.title}", wanted.title, wanted.title, "suite", (), config)
