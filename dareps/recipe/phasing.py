"""What the phases of a recipe may not ask for, on the tasks and with the labels that a run has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dareps.balancing import Balancer
from dareps.plugin import suggestion
from dareps.recipe.parting import Refusal
from dareps.transfer import Phase, Train
from dareps.types import Task


def refused_carrying(
    phases: Sequence[Phase], balance: Balancer, tasks: Sequence[Task], labelled: int | None
) -> Refusal | None:
    """Why these phases cannot be run in order, or None."""
    return next(
        (found for number, phase in enumerate(phases) for found in _refusals(number, phase, balance, tasks, labelled)),
        None,
    )


def _refusals(
    number: int, phase: Phase, balance: Balancer, tasks: Sequence[Task], labelled: int | None
) -> Iterator[Refusal]:
    if not isinstance(phase, Train):
        return
    known = [task.name for task in tasks]
    for name in phase.tasks:
        if name not in known:
            yield f"phases.{number}.tasks", f"the run has no task {name!r}", suggestion(name, known)
    if len(set(phase.tasks)) < len(phase.tasks):
        yield f"phases.{number}.tasks", "a task is named twice", "Name each task once."
    if phase.tasks and balance.needs_all and set(phase.tasks) < set(known):
        what = f"the balancer {balance.name} needs the losses of all tasks in every step"
        yield f"phases.{number}.tasks", what, "Balance with equal, or train all tasks."
    if phase.apart and phase.tasks:
        what = "tasks that go apart are trained together from then on"
        yield f"phases.{number}.tasks", what, "Name no tasks, or give another phase apart."
    if labelled == 0 and phase.streams.target == "labelled":
        what = "the phase reads target labels, of which the split declares none"
        yield f"phases.{number}.streams.target", what, "Declare some, as in SOURCE:TARGET@10."
