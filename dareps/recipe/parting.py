"""What a recipe may not combine with tasks that go apart, and with regularisers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dareps.alignment import Alignment
from dareps.balancing import Balancer
from dareps.guarding import Guard
from dareps.sharing import SharingScheme
from dareps.transfer import Phase, Train

Refusal = tuple[str, str, str]
"""Key path, what is wrong, and what to do."""


def refused_phases(phases: Sequence[Phase], needs: Sequence[Collection[str]], sharing: SharingScheme) -> Refusal | None:
    """Why these phases cannot train tasks apart, or None; once apart, tasks stay so in all later phases."""
    first = next((number for number, phase in enumerate(phases) if isinstance(phase, Train) and phase.apart), None)
    if first is not None and not sharing.divisible:
        what = f"with {sharing.name} a task reads what others predict, so none can go on by itself"
        return f"phases.{first}.apart", what, "Leave apart out, or share in another way."
    for number, phase in enumerate(phases) if first is not None else ():
        if isinstance(phase, Train) and number >= (first or 0) and phase.acting(needs):
            what = "tasks are apart, so an alignment would act on one of them alone"
            return f"phases.{number}.align", what, "Set align: false in this phase."
    return None


def refused_regularisers(phases: Sequence[Phase], guard: Guard | None) -> Refusal | None:
    """Why a phase's regularisers cannot act, or None."""
    apart = guard is not None and guard.demote
    for number, phase in enumerate(phases):
        if isinstance(phase, Train):
            apart = apart or phase.apart
            found = _refused_in(phase, f"phases.{number}.regularise", apart) if phase.regularise else None
            if found is not None:
                return found
    return None


def _refused_in(phase: Train, where: str, apart: bool) -> Refusal | None:
    if apart:
        what = "tasks are apart, so the networks are no longer those that the phase began with"
        return where, what, "Leave apart and guard.demote out, or the regularisers."
    blind = "labelled" not in (phase.streams.source, phase.streams.target)
    for index, part in enumerate(phase.regularise):
        if part.labelled and blind:
            what = f"{part.name} reads labels, and the phase has no labelled stream"
            return f"{where}.{index}", what, "Label a stream of the phase."
    return None


def refused_guard(guard: Guard | None, sharing: SharingScheme, balance: Balancer, aligned: bool) -> Refusal | None:
    """Why a guard cannot let a harmed task go on apart in the middle of a phase, or None."""
    reasons = (
        (bool(sharing.terms()) or sharing.proximal() is not None, f"{sharing.name} couples the tasks by a penalty"),
        (balance.needs_all, f"the balancer {balance.name} needs all tasks to share"),
        (aligned, "the alignments act on what the tasks share"),
    )
    for applies, what in reasons if guard is not None and guard.demote else ():
        if applies:
            return "guard.demote", f"{what}, which a task that goes on apart would leave", "Set guard.demote=false."
    return None


def refused_tasks(phases: Sequence[Phase], guard: Guard | None, tasks: Sequence[str]) -> Refusal | None:
    """Why so few tasks can neither go apart nor be guarded, or None."""
    what = "there is one task only, which is by itself already"
    for number, phase in enumerate(phases):
        if isinstance(phase, Train) and phase.apart and len(tasks) < 2:
            return f"phases.{number}.apart", what, "Leave apart out."
    if guard is not None and len(tasks) < 2:
        return "guard", what, "Set guard: null."
    return None


def refused_without_source(phases: Sequence[Phase], align: Sequence[Alignment]) -> Refusal | None:
    """Why a phase of unlabelled target rows alone cannot learn by these alignments, or None."""
    for number, phase in enumerate(phases):
        if not isinstance(phase, Train) or not phase.without_source or phase.align is False:
            continue
        named = range(len(align)) if phase.align is True else [own for own in phase.align if own < len(align)]
        lacking = [own for own in named if "source" in align[own].needs()]
        if lacking and (phase.align is not True or len(lacking) == len(align)):
            what = f"{align[lacking[0]].name} compares with source rows, and the phase reads the target alone"
            fix = "Let the phase read the source as well, or use a loss of the target alone."
            return f"phases.{number}.align.{lacking[0]}", what, fix
    return None
