"""The hooks of alignments that act between steps: `begin`, `after_step` and `refresh`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dareps.alignment._modules import AlignmentModule
from dareps.engine.evaluate import Evaluator
from dareps.engine.judging import Point
from dareps.engine.label_shift import reweigh
from dareps.engine.ledger import Ledger
from dareps.engine.phases import Plan
from dareps.engine.population import Population
from dareps.engine.source_weights import weigh_sources
from dareps.engine.survey import Parts, survey
from dareps.recipe.method import Method
from dareps.recipe.settings import Run


class _Act(nn.Module):
    """Lets something act on a method as a forward pass, which is what can be mapped over copies."""

    def __init__(self, method: Method, act: Callable[[Method], None]) -> None:
        super().__init__()
        self.method, self.act = method, act

    def forward(self) -> Tensor:
        self.act(self.method)
        return next(self.method.parameters())


def wants_after_step(method: Method) -> bool:
    """True when the sharing scheme, a regulariser or an active alignment has something to do after a step."""
    if method.encoder.follows or method.recipe.sharing.proximal() is not None:
        return True
    return method.regularise.follows or any(_overrides(module, "after_step") for module in active(method))


def begin(population: Population, evaluators: Sequence[Evaluator], parts: Sequence[Parts]) -> None:
    """Tell regularisers and active alignments of every copy that a phase begins; `parts` are the streams of each."""
    if population.method.regularise.acting or any(_overrides(own, "begin") for own in active(population.method)):
        _on_every_copy(population, Method.begin)
    survey(population, evaluators, parts)


def after_step(population: Population, progress: Tensor, rate: Tensor) -> None:
    """Let sharing scheme, regularisers and active alignments of every copy act on parameters and buffers in place."""
    _on_every_copy(population, lambda method: method.after_step(progress, rate))


@torch.no_grad()
def _on_every_copy(population: Population, act: Callable[[Method], None]) -> None:
    if not population.stacked:
        act(population.method)
        return
    wrapper = _Act(population.method, act)
    state = {f"method.{name}": value for name, value in population.state().items()}
    torch.vmap(lambda own: functional_call(wrapper, own, ()))(state)


def active(method: Method) -> list[AlignmentModule]:
    """The alignment modules that act in the current phase."""
    return [module for index in method.active if isinstance(module := method.align[index], AlignmentModule)]


def refresh_points(method: Method, start: int, end: int) -> set[int]:
    """Steps of a phase, which goes from `start` to `end`, before which some active alignment wants a pass."""
    periods = [module.refresh_every for module in active(method)] + [method.reweight.sources.every]
    return {point for period in periods if period for point in range(start, end, period)}


def refresh_due(
    population: Population, evaluators: Sequence[Evaluator], ledgers: Sequence[Ledger], step: int, plan: Plan
) -> None:
    """Give every alignment that is due one pass over the target train rows of its copy, and weigh sources anew."""
    if step not in refresh_points(population.method, plan.offset, plan.end):
        return
    for copy, (evaluator, ledger) in enumerate(zip(evaluators, ledgers, strict=True)):
        method, taken = population.single(copy), step - plan.offset
        due = [own for own in active(method) if own.refresh_every and taken % own.refresh_every == 0]
        if due:
            features, logits = evaluator.target_pass(method)
            with torch.no_grad():
                for module in due:
                    module.refresh(features, logits, method.networks)
        every = method.reweight.sources.every
        if every and taken % every == 0:
            ledger.log(step, weigh_sources(method, evaluator))
        population.put_back(copy, method)


def first_passes(
    population: Population,
    evaluators: Sequence[Evaluator],
    ledgers: Sequence[Ledger],
    plans: Sequence[Plan],
    plan: Plan,
    run: Run,
) -> None:
    """The passes before a phase's first step, with statistics of normalisation of domains unread so far."""
    reweight, points = population.method.reweight, refresh_points(population.method, plan.offset, plan.end)
    if not points and not reweight.acting and reweight.sources.acting is None:
        return
    unread = Point(plan.offset, plans[: plan.number], competes=False, former={}).unread(run)
    for copy, (evaluator, ledger) in enumerate(zip(evaluators, ledgers, strict=True)):
        method = population.single(copy)
        evaluator.calibrate(method, unread)
        ledger.log(plan.offset, reweigh(method, evaluator))
        if not method.reweight.sources.every:
            ledger.log(plan.offset, weigh_sources(method, evaluator))
        population.put_back(copy, method)
    refresh_due(population, evaluators, ledgers, plan.offset, plan)


def _overrides(module: AlignmentModule, name: str) -> bool:
    return getattr(type(module), name) is not getattr(AlignmentModule, name)
