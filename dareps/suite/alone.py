"""Scores of finished single-task runs, for a guard to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dareps.engine.identity import identity_of
from dareps.engine.outcome import Identity, Outcome
from dareps.errors import ConfigError
from dareps.recipe.bind import dump_run
from dareps.recipe.settings import Run
from dareps.suite.statistics import mean
from dareps.suite.store import Store


def alone_scores(folder: Path, run: Run) -> dict[str, float]:
    """Main metric on source validation rows that models of single tasks have reached, by task.

    Read are runs on the same split of the same data, with one task each, at the checkpoint of the rule that keeps the
    run's own: that of the same seed, else the mean over seeds; of several recipes the best.

    Args:
        folder: What `dareps bench` or `dareps train` wrote, such as `runs/attributes_mtl` or `runs/train`.
        run: The run that is to be watched.

    Raises:
        StoreError: There are no results in the folder.
        ConfigError: A task has no such run.
    """
    found: dict[str, dict[int, float]] = {task.name: {} for task in run.tasks}
    wanted, data = identity_of(run, ""), dump_run(run)["data"]
    for outcome in Store(folder, create=False).outcomes():
        if _comparable(outcome, wanted, data):
            seeds, seed = found.setdefault(outcome.identity.task, {}), outcome.identity.seed
            for score in (row.source_metric for row in outcome.selected if row.selection == run.engine.keep):
                seeds[seed] = max(score, seeds.get(seed, score))
    missing = [task.name for task in run.tasks if not found[task.name]]
    if missing:
        fix = f"Train with tasks=[{missing[0]}] on this split, or run a suite that has an entry with apart: tasks."
        what = "no finished run on one task alone, with this data and split, is there for"
        raise ConfigError(f"--baseline {folder}", what, ", ".join(missing), fix)
    return {task.name: _best_match(found[task.name], run.seed) for task in run.tasks}


def _best_match(seeds: dict[int, float], seed: int) -> float:
    return seeds[seed] if seed in seeds else mean(seeds.values())


def _comparable(outcome: Outcome, wanted: Identity, data: Any) -> bool:
    """Whether a finished run is on one task alone, with this data and split."""
    own = outcome.identity
    place = (own.dataset, own.source, own.target, own.protocol)
    alike = place == (wanted.dataset, wanted.source, wanted.target, wanted.protocol) and own.config.get("data") == data
    return outcome.status == "ok" and alike and own.config.get("method", {}).get("tasks") == [own.task]
