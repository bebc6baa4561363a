"""What a recipe may not combine with tasks that go apart."""

from __future__ import annotations

from collections.abc import Sequence

from dareps.sharing import SharingScheme
from dareps.transfer import Phase, Train

Refusal = tuple[str, str, str]
"""Key path, what is wrong, and what to do."""


def refused_phases(phases: Sequence[Phase], alignments: int, sharing: SharingScheme) -> Refusal | None:
    """Why these phases cannot train tasks apart, or None; once apart, tasks stay so in all later phases."""
    first = next((number for number, phase in enumerate(phases) if isinstance(phase, Train) and phase.apart), None)
    if first is not None and not sharing.divisible:
        what = f"with {sharing.name} a task reads what others predict, so none can go on by itself"
        return f"phases.{first}.apart", what, "Leave apart out, or share in another way."
    for number, phase in enumerate(phases) if first is not None else ():
        if isinstance(phase, Train) and number >= (first or 0) and phase.acting(alignments):
            what = "tasks are apart, so an alignment would act on one of them alone"
            return f"phases.{number}.align", what, "Set align: false in this phase."
    return None


def refused_tasks(phases: Sequence[Phase], tasks: int) -> Refusal | None:
    """Why so few tasks cannot go apart, or None."""
    for number, phase in enumerate(phases):
        if isinstance(phase, Train) and phase.apart and tasks < 2:
            return f"phases.{number}.apart", "there is one task only, which is by itself already", "Leave apart out."
    return None
