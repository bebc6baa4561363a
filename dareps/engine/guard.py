"""The alarm for negative transfer: what it compares at an evaluation, for whom it rings, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dareps.engine.evaluate import Evaluator
from dareps.engine.ledger import Ledger
from dareps.errors import ConfigError
from dareps.guarding import SIGN, Guard
from dareps.recipe.method import Method
from dareps.recipe.settings import Run
from dareps.selection._base import ValidationView
from dareps.transfer import Train


def compared(guard: Guard, evaluator: Evaluator, method: Method, view: ValidationView) -> dict[str, float]:
    """Each task's reference and its difference from it, for the log; a task without validation labels has none."""
    known = evaluator.alone(method) if len(method.shadow) else guard.scores_of(method.branches)
    found: dict[str, float] = {}
    for task, reference in known.items():
        difference = view.source_scores[task] - reference
        if math.isfinite(difference):
            found |= {f"reference.{task}": reference, f"alarm.{task}": difference}
    return found


def harmed(guard: Guard, ledger: Ledger, tasks: tuple[str, ...], total: int) -> dict[str, int]:
    """The tasks for which the alarm has rung, and the steps at which it first did."""
    rung = {task: guard.rings(ledger.curves.get(f"alarm.{task}", []), total) for task in tasks}
    return {task: step for task, step in rung.items() if step is not None}


def to_let_go(guard: Guard | None, ledgers: Sequence[Ledger], method: Method, step: int, total: int) -> frozenset[str]:
    """The tasks that are to go apart after an evaluation, in all copies of a method; none after the last one.

    Raises:
        ConfigError: Stacked seeds differ in them.
    """
    if guard is None or not guard.demote or step >= total:
        return frozenset()
    alive = [ledger for ledger in ledgers if not ledger.failure]
    found = {frozenset(harmed(guard, ledger, method.branches, total)) for ledger in alive}
    if len(found) > 1:
        what = "the seeds of a stack differ in the tasks that sharing harms"
        raise ConfigError("engine.stack", what, fix="Train with engine.stack=false, or set guard.demote=false.")
    return frozenset[str]().union(*found) - set(method.apart)


def alarms(run: Run, ledger: Ledger) -> tuple[str, ...]:
    """A sentence for each task that the alarm has rung for."""
    guard, total = run.method.guard, steps_of(run)
    if guard is None:
        return ()
    found = harmed(guard, ledger, tuple(task.name for task in run.tasks), total)
    return tuple(_sentence(guard, ledger, task, step, total) for task, step in found.items())


def steps_of(run: Run) -> int:
    """Steps of all phases."""
    return sum(phase.steps or 0 for phase in run.method.phases if isinstance(phase, Train))


def _sentence(guard: Guard, ledger: Ledger, task: str, step: int, total: int) -> str:
    reference, below = (dict(ledger.curves[f"{name}.{task}"])[step] for name in ("reference", "alarm"))
    often = "an evaluation" if guard.patience == 1 else f"{guard.patience} evaluations"
    text = (
        f"{SIGN}: {task} scores {reference + below:.3f} on source validation rows at step {step}, {-below:.3f} below "
        f"what it reaches alone ({guard.name}), and more than {guard.margin:g} below in {often}"
    )
    return f"{text}; from there on it is trained apart" if guard.demote and step < total else text
