"""What the phases of a recipe may not ask for, on the tasks and with the domains and labels that a run has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dareps.alignment import Alignment
from dareps.alignment._settings import AlignmentSettings
from dareps.balancing import Balancer
from dareps.plugin import suggestion
from dareps.recipe.parting import Refusal
from dareps.transfer import Phase, Train
from dareps.types import Task, lead_task


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


def refused_label_shift(phases: Sequence[Phase], tasks: Sequence[Task], target: Sequence[str]) -> Refusal | None:
    """Why a phase cannot be reweighted by estimated class shares, or None."""
    for number, phase in enumerate(phases):
        if isinstance(phase, Train) and phase.label_shift != "none":
            reason = _unweighable(number, phase, tasks) or (not target and _UNAIMED)
            if reason:
                return f"phases.{number}.label_shift", *reason
    return None


_UNAIMED = ("the split has no target, whose class shares are asked for", "Leave it out, or name a target.")


def _unweighable(number: int, phase: Train, tasks: Sequence[Task]) -> tuple[str, str] | None:
    trained = [task for task in tasks if task.name in (phase.tasks or (task.name,))]
    if not any(task.kind == "classification" for task in trained):
        told = ", ".join(f"{task.name} is one of {task.kind}" for task in trained[:3])
        what = f"shares are those of classes, and the phase trains no task of classes ({told})"
        return what, "Leave it out; alignments of features and selection by importance_weighted need no classes."
    if number == 0:
        return "the model that estimates class shares is still untrained", "Give a later phase the setting."
    if phase.reset or phase.reset_top:
        return "the phase draws parts of the model anew that should estimate", "Leave reset out."
    if phase.streams.source != "labelled":
        return "the phase reads no source labels, so there is nothing to weigh", "Set streams.source: labelled."
    return None


INSTEAD: Final = "Align features, as coral, mmd and adversarial do, or add a task of classes."


def unreadable(settings: AlignmentSettings, lead: Task) -> bool:
    """Whether an alignment reads outputs, and those of the lead task are none that it knows."""
    return settings.reads != "shared" and lead.kind not in settings.kinds


def told_of_outputs(name: str, lead: Task) -> str:
    """Why an alignment that reads outputs has no use for those of the lead task."""
    return f"{name} reads outputs as classes, but the first task is one of {lead.kind} ({lead.name})"


def refused_outputs(align: Sequence[Alignment], tasks: Sequence[Task]) -> Refusal | None:
    """Why an alignment cannot read the outputs of these tasks, or None."""
    lead = lead_task(tasks)
    found = [(f"align.{index}", own.name) for index, own in enumerate(align) if unreadable(own, lead)]
    return (found[0][0], told_of_outputs(found[0][1], lead), INSTEAD) if found else None


def refused_source_weights(phases: Sequence[Phase], sources: Sequence[str], targets: Sequence[str]) -> Refusal | None:
    """Why a phase cannot weigh these sources, or None."""
    for number, phase in enumerate(phases):
        if isinstance(phase, Train) and phase.source_weights != "equal":
            unaimed = phase.source_weights == "nearness" and not targets
            reason = _unweighed(phase, sources) or (unaimed and _NOWHERE)
            if reason:
                return f"phases.{number}.source_weights", *reason
    return None


_NOWHERE = ("the split has no target that sources could be near to", "Tell the weights, or name a target.")


def _unweighed(phase: Train, sources: Sequence[str]) -> tuple[str, str] | None:
    if phase.streams.source is None:
        return "the phase reads no source rows", "Leave it out."
    told = {} if isinstance(phase.source_weights, str) else phase.source_weights
    for name in told:
        if name not in sources:
            return f"the split has no source {name!r}", suggestion(name, sources)
    lacking = [name for name in sources if told and name not in told]
    if lacking:
        return f"source {lacking[0]!r} has no weight", "Give each source one, 0 to leave it out."
    if told and not any(told[name] for name in sources):
        return "no source has a weight above 0", "Give one source a weight."
    return None
