"""Tasks in turn, in a new order each round."""

from __future__ import annotations

from collections.abc import Mapping

from dareps.sampling._base import Moment, TaskSampler


class Shuffled(TaskSampler):
    """One task a step; each round of T steps trains every task once, in an order drawn for that round."""

    def choose(self, rows: Mapping[str, int], at: Moment) -> tuple[str, ...]:
        """The task whose number in the round's permutation is step modulo T."""
        number, place = divmod(at.step, len(rows))
        order = sorted(rows, key=lambda task: at.uniform("round", number, task))
        return (order[place],)
