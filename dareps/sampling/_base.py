"""The sampling family: which tasks a step trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, Final

from dareps.errors import ContractError
from dareps.maths.keys import key_of
from dareps.plugin import Plugin

_KEYS: Final = 2**64


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of one seed: `step` and `phase` count from 0, `progress` runs from 0 to 1 within the phase."""

    seed: int
    phase: int
    step: int
    progress: float

    def uniform(self, *place: object) -> float:
        """A number in [0, 1) that depends on seed, phase and place alone."""
        return (key_of("sampling", self.seed, self.phase, *place) % _KEYS) / _KEYS


class TaskSampler(Plugin, family="sampling"):
    """Chooses the tasks that a step trains, as a pure function of (seed, phase, step): a resumed run chooses the same.

    The losses of other tasks do not enter the step and their heads do not move in it, neither by momentum nor by weight
    decay; nor does anything else that a sharing scheme keeps for them alone, where the scheme is `isolated`.
    """

    alike: ClassVar[bool] = False
    """True when every seed chooses the same tasks in a step, so that seeds can be stacked."""
    alternates: ClassVar[bool] = True
    """False when every step trains every task."""

    def choose(self, rows: Mapping[str, int], at: Moment) -> tuple[str, ...]:
        """The tasks of a step, in the order of `rows`: how many labelled rows the phase has of each."""
        raise ContractError(f"sampling {type(self).name}", "it has no choose()", fix="Define choose(rows, at).")


class Weighted(TaskSampler, abstract=True):
    """One task a step, drawn with probabilities in proportion to weights."""

    def weights(self, rows: Mapping[str, int], at: Moment) -> list[float]:
        """The weight of each task."""
        raise ContractError(f"sampling {type(self).name}", "it has no weights()", fix="Define weights(rows, at).")

    def choose(self, rows: Mapping[str, int], at: Moment) -> tuple[str, ...]:
        """The task into whose share of [0, 1) the step's number falls."""
        sums = list(accumulate(self.weights(rows, at)))
        point = at.uniform("task", at.step) * sums[-1]
        return (next(task for task, end in zip(rows, sums, strict=True) if point < end),)


def power(rows: Mapping[str, int], exponent: float) -> list[float]:
    """(n_t / max n)^exponent of each task."""
    largest = max(rows.values())
    return [(count / largest) ** exponent for count in rows.values()]
