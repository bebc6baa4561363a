"""When checkpoints are judged, and from which phase on they compete."""

from __future__ import annotations

from collections.abc import Sequence

from dareps.engine.phases import Plan
from dareps.engine.state import evaluation_steps
from dareps.transfer import Train


def competing_from(phases: Sequence[Train]) -> int:
    """The number of the first phase whose checkpoints selection rules choose from.

    A phase that trains other tasks than the one before it, begins to read target labels or draws parts anew answers
    another question: what came before it is no candidate for the answer.
    """
    first = 0
    for number in range(1, len(phases)):
        before, phase = phases[number - 1], phases[number]
        begins = phase.streams.target == "labelled" and before.streams.target != "labelled"
        if begins or phase.tasks != before.tasks or phase.reset or phase.reset_top:
            first = number
    return first


def judged_at(plans: Sequence[Plan], evaluations: int) -> dict[int, bool]:
    """The steps after which checkpoints are judged, and whether they compete.

    Evenly spaced over the phases that compete, `evaluations` of them, and over each phase that watches a score. Every
    other phase is looked at once, when it ends.
    """
    if not plans:
        return {}
    first, total = competing_from([plan.phase for plan in plans]), plans[-1].end
    start = plans[first].offset
    points = {plan.end: False for plan in plans[:first]}
    points |= {start + step: True for step in evaluation_steps(total - start, evaluations) if total > start}
    for plan in plans:
        if plan.phase.patience is not None and plan.steps:
            own = evaluation_steps(plan.steps, evaluations)
            points |= {plan.offset + step: plan.number >= first for step in own}
    return points
