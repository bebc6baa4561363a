"""The sub-steps of a training step: the ordinary one, and what alignments and the balancer do beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dareps.types import AGAIN, ORDINARY, SubStep


def substeps(asked: Mapping[int, Sequence[SubStep]], looks_again: bool) -> tuple[SubStep, ...]:
    """The ordinary sub-step between those that alignments ask for.

    Args:
        asked: Number of an alignment -> its sub-steps; those after the ordinary one come after it here.
        looks_again: Whether the task losses are looked at again, right after the ordinary sub-step.
    """
    before: list[SubStep] = []
    after: list[SubStep] = []
    for index, wanted in asked.items():
        middle = wanted.index(ORDINARY) if ORDINARY in wanted else len(wanted)
        before += [_owned(sub, index) for sub in wanted[:middle]]
        after += [_owned(sub, index) for sub in wanted[middle + 1 :]]
    return (*before, ORDINARY, *((AGAIN,) if looks_again else ()), *after)


def _owned(sub: SubStep, index: int) -> SubStep:
    """A sub-step as an alignment asked for it, with `align` meaning that alignment's own parameters."""
    trains = tuple(f"align.{index}" if part == "align" else part for part in sub.trains)
    return replace(sub, owner=index, trains=trains)
