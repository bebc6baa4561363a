"""An evaluation: every rule judges the current weights of every seed that still runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from dareps.engine.carry import Former, with_heads
from dareps.engine.evaluate import Evaluator
from dareps.engine.guard import compared
from dareps.engine.ledger import Ledger
from dareps.engine.phases import Plan
from dareps.engine.population import Population
from dareps.engine.state import snapshot
from dareps.recipe.settings import Run


@dataclass(frozen=True, slots=True)
class Point:
    """A moment at which checkpoints are judged.

    Attributes:
        step: The step of the run.
        past: The phases so far, the current one among them: what only a later one reads has no statistics yet.
        competes: Whether rules may choose the checkpoint.
        former: Heads that were drawn anew since, which still say how well their task is known.
    """

    step: int
    past: Sequence[Plan]
    competes: bool
    former: Former

    @property
    def watched(self) -> str:
        """The rule whose score the current phase watches; empty for none."""
        patience = self.past[-1].phase.patience if self.past else None
        return patience.rule if patience is not None else ""

    def unread(self, run: Run) -> list[str]:
        """The domains that no phase has read so far."""
        read = {role for plan in self.past for role in ("source", "target") if getattr(plan.phase.streams, role)}
        return [name for role in ("source", "target") if role not in read for name in getattr(run, role)]

    def heads(self, copy: int, stacked: bool) -> dict[str, Tensor]:
        """The former heads of one copy."""
        return {name: value[copy] if stacked else value for name, value in self.former.items()}


def judge(
    point: Point,
    population: Population,
    runs: Sequence[Run],
    evaluators: Sequence[Evaluator],
    ledgers: Sequence[Ledger],
) -> None:
    """Let every rule judge, and the log be told what guards and former heads say."""
    run, unread = runs[0], point.unread(runs[0])
    for copy, (evaluator, ledger) in enumerate(zip(evaluators, ledgers, strict=True)):
        if ledger.failure:
            continue
        method = population.single(copy)
        evaluator.calibrate(method, unread)
        population.put_back(copy, method)
        view = evaluator.view(method, point.step)
        opened, weights = partial(evaluator.opened, method), partial(snapshot, method)
        ledger.judge(view, run.engine.selection, opened, weights, point.competes, point.watched)
        if run.method.guard is not None:
            ledger.log(point.step, compared(run.method.guard, evaluator, method, view))
        if point.former:
            present = with_heads(method, point.heads(copy, population.stacked))
            ledger.log(point.step, {f"former.{task}": own for task, own in evaluator.known(method).items()})
            with_heads(method, present)
