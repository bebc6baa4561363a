"""`dareps tune`: every recipe of a suite tuned by the same number of draws, without target labels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, get_args

from dareps.commands._device import uses_cuda
from dareps.commands._output import note, say, warn
from dareps.commands._tuned import earlier, tuned_table, write_tuned
from dareps.commands.bench import Wanted, carried_out, ended
from dareps.commands.train import one_thread
from dareps.errors import ConfigError
from dareps.plugin import suggestion
from dareps.recipe.bind import bind_run
from dareps.recipe.settings import Run
from dareps.suite._draws import Draws, Sampler, leaves, load_optuna
from dareps.suite._files import mark_tuning
from dareps.suite.expand import changes_of, entries_of, splits_of
from dareps.suite.settings import Entry

if TYPE_CHECKING:
    from dareps.engine.outcome import Outcome
    from dareps.suite.store import Store
    from dareps.suite.tuning import Search
    from dareps.tracking import Tracker

_UNKEPT: Final = ("engine.predictions", False)
"""Draws are compared by scores; nobody reads what each of them predicts."""


def tune(wanted: Wanted, trials: int, rule: str, sampler: str, minutes: float | None) -> int:
    """Carry out what is missing of the trials, choose, and write what was chosen; returns the exit code."""
    from dareps.suite.store import Store
    from dareps.tracking import make_tracker

    clock = time.monotonic()
    one_thread()
    entries = {entry.name: entry for entry in entries_of(wanted.suite, wanted.recipes)}
    _refuse_apart(entries)
    search, cuda = _search(wanted, entries, trials, rule, _sampler(sampler)), uses_cuda(wanted.device)
    load_optuna()
    until = math.inf if minutes is None else clock + 60 * minutes
    mark_tuning(wanted.out / wanted.title)
    store = Store(wanted.out / wanted.title)
    with store.exclusive():
        tracker = make_tracker(store.folder)
        try:
            stopped, failures = _tried(wanted, search, store, tracker, cuda, lambda: time.monotonic() >= until)
        finally:
            _publish(wanted, entries, search, store)
            for text in tracker.close():
                warn(text)
    return ended(clock, stopped, failures)


def _refuse_apart(entries: Mapping[str, Entry]) -> None:
    """Raise `ConfigError` where an entry is several models: one rule would have to judge settings of all of them."""
    for name, entry in entries.items():
        if entry.apart is not None:
            fix = "Leave it out by --recipes."
            raise ConfigError(f"recipes.{name}.apart", "models that are trained apart are not tuned", entry.apart, fix)


def finished(store: Store) -> Mapping[str, Outcome]:
    """All runs of a store by key, whether or not its tables would show them."""
    every = [*store.outcomes(details=False), *store.outcomes(stale=True, details=False)]
    return {outcome.identity.key: outcome for outcome in every}


def _search(wanted: Wanted, entries: Mapping[str, Entry], trials: int, rule: str, sampler: Sampler) -> Search:
    from dareps.suite.bench import keys_of
    from dareps.suite.tuning import Search

    suite, seeds = wanted.suite, range(wanted.seeds or wanted.suite.seeds)
    changes = changes_of(suite, list(entries.values()), wanted.overrides)
    splits, files = splits_of(suite, wanted.splits), [*suite.plugins, *wanted.plugins]

    def bind(name: str, label: str, draws: Draws) -> Sequence[Run]:
        source, own = entries[name].source, [_UNKEPT, *changes[name], *draws.items()]
        return [bind_run(source, split, seed, own, label=label, plugins=files) for split in splits for seed in seeds]

    fixed = [leaf for path, value in wanted.overrides for leaf in leaves(path, value)]
    return Search(bind, keys_of, tuple(entries), trials, rule, sampler, fixed)


def _sampler(name: str) -> Sampler:
    known = get_args(Sampler)
    if name not in known:
        raise ConfigError("--sampler", "no sampler has this name", name, suggestion(name, known))
    found: Sampler = name  # type: ignore[assignment]
    return found


def _tried(
    wanted: Wanted, search: Search, store: Store, tracker: Tracker, cuda: bool, over: Callable[[], bool]
) -> tuple[bool, list[str]]:
    """Whether it was stopped, and which runs failed."""
    failures: list[str] = []
    for runs in search.rounds(lambda: finished(store)):
        stopped, failed = carried_out(wanted, runs, store, tracker, cuda, frozenset(), over)
        failures += failed
        if stopped:
            return True, failures
    return False, failures


def _publish(wanted: Wanted, entries: Mapping[str, Entry], search: Search, store: Store) -> None:
    found = search.results(finished(store))
    if not found:
        note("No trial is finished yet.")
        return
    report = write_tuned(store.folder, wanted, entries, search, found)
    for line in tuned_table(found):
        say(line)
    if others := earlier(store.folder, search):
        note(f"Tuned here by earlier commands, and left as they are: {', '.join(others)}.")
    say(f"Report: {report}")
