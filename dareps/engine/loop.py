"""The one loop: every recipe, one seed or many, eager or captured, goes through `Trainer.train`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dareps.data._base import SplitData
from dareps.engine.building import build_method
from dareps.engine.capture import Inputs, StepFunction, maybe_capture
from dareps.engine.carry import Former, check_names, start_anew
from dareps.engine.evaluate import Evaluator
from dareps.engine.features import after, cut_of, put_features
from dareps.engine.guard import to_let_go
from dareps.engine.hosts import hosts_of
from dareps.engine.idle import warn_of_idle
from dareps.engine.judging import Point, judge
from dareps.engine.ledger import Ledger
from dareps.engine.loader import LoaderPool
from dareps.engine.moving import Rates, freeze_rest, independent, moving_in, thaws, trained
from dareps.engine.phases import Plan, activate, plans, rates, stream_parts
from dareps.engine.points import judged_at
from dareps.engine.population import Population
from dareps.engine.progress import Position, Report
from dareps.engine.refresh import begin, first_passes, refresh_due, refresh_points, wants_after_step
from dareps.engine.rows import Clock, Pool
from dareps.engine.sampling import Active, Logged, Steps, choice_of
from dareps.engine.state import DTYPES, Precision, broken, inherit, load_optimizer
from dareps.engine.update import Update
from dareps.recipe.settings import Run
from dareps.transfer import Train
from dareps.types import SubStep


@dataclass(slots=True)
class Hooks:
    """What the surroundings want from the loop.

    Attributes:
        report: Called at every flush.
        stop: Asked at every flush; true ends training after a checkpoint.
        checkpoint: Called with the trainer when state is worth keeping.
        between: Called with the trainer between two phases.
    """

    report: Callable[[Report], None] = field(default=lambda _: None)
    stop: Callable[[], bool] = field(default=lambda: False)
    checkpoint: Callable[[Trainer], None] = field(default=lambda _: None)
    between: Callable[[Trainer], None] = field(default=lambda _: None)


class Stopped(Exception):
    """Training was asked to stop and has left a checkpoint."""


class Trainer:
    """Trains S seeds of one recipe on one split.

    Args:
        runs: Equal runs but for the seed.
        data: The split as each seed sees it.
        device: Where to train.
        hooks: What the surroundings want.
        stacked: Map over a leading seed dimension even for one seed.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        data: Sequence[SplitData],
        device: torch.device,
        hooks: Hooks | None = None,
        stacked: bool | None = None,
    ) -> None:
        self.runs, self.data, self.device = list(runs), list(data), device
        self.run, self.engine = runs[0], runs[0].engine
        self.hooks = hooks or Hooks()
        self.dtype = DTYPES[self.engine.precision]
        self.population = Population(
            [build_method(run, own) for run, own in zip(runs, data, strict=True)],
            [run.seed for run in runs],
            device,
            self.dtype,
            stacked,
        )
        self.evaluators = [Evaluator(own, device, self.dtype, self.engine.validation_rows) for own in data]
        self.ledgers = [Ledger() for _ in runs]
        self.tasks = self.population.method.tasks
        self.plans = plans([phase for phase in self.run.method.phases if isinstance(phase, Train)])
        warn_of_idle(self.population.method, [plan.phase for plan in self.plans], data[0])
        for plan in self.plans:  # A wrong name in a late phase must not show after the first one has been trained.
            check_names(self.population, plan)
        self.points = judged_at(self.plans, self.engine.evaluations)
        self.former: Former = {}
        self.cut = 0
        if self.engine.conflict is not None:
            trained(self.population, self.engine.conflict.along, "engine.conflict.along")
        self.total = sum(plan.steps for plan in self.plans)
        self.position, self.clock = Position(), Clock()
        self.optimizer: Optimizer | None = None
        self.resumed_optimizer: dict[str, Tensor] = {}
        self._moving: list[nn.Parameter] = []

    def train(self) -> list[Ledger]:
        """Run all phases from the current position; returns the ledgers, one per seed."""
        if self.position == Position():
            for copy, (evaluator, ledger) in enumerate(zip(self.evaluators, self.ledgers, strict=True)):
                if self.run.seed == 0 or self.runs[copy].seed == 0:
                    ledger.look_before(evaluator, self.population.single(copy))
        for plan in self.plans[self.position.phase :]:
            self._phase(plan)
            self.position = Position(plan.number + 1, 0)
            self.hooks.between(self)
        if not any(self.points.values()):  # Such as a last phase of no steps.
            self._evaluate(self.total)
        return self.ledgers

    def _phase(self, plan: Plan) -> None:
        self.enter(plan)
        with closing(self.pool(plan)) as pool:
            step = self.steps(plan, pool)
            while not self._over(plan):
                start, stop = self.position.step, self._boundary(plan)
                self._window(plan, pool, step, start, stop)
                self.position.step = stop
                refresh_due(self.population, self.evaluators, self.ledgers, plan.offset + stop, plan)
                if plan.offset + stop in self.points:
                    self._evaluate(plan.offset + stop)
                    if self._let_go(plan, plan.offset + stop):
                        step = self.steps(plan, pool)
                if stop in thaws(self.population, plan.phase):
                    freeze_rest(self.population, moving_in(self.population, plan, stop))
                    step = self.steps(plan, pool)
                self._after_window(plan, stop)
        self._close(plan)

    def enter(self, plan: Plan) -> None:
        """Set up a phase: what moves, the active alignments, a fresh optimizer."""
        phase = plan.phase
        method = self.population.method
        if phase.apart:
            self.population.go_apart(method.branches)
        activate(method, plan)
        if self.position.step == 0:  # A resumed phase has what it began with in the checkpoint.
            start_anew(self.population, plan, self.former)
        self._moving = moving_in(self.population, plan)
        freeze_rest(self.population, moving_in(self.population, plan, self.position.step))
        if self.position.step == 0:
            begin(self.population, self.evaluators, [stream_parts(phase, own) for own in self.data])
            first_passes(self.population, self.evaluators, self.ledgers, self.plans, plan, self.run)
        assert phase.optimizer is not None
        self.rates = Rates(self.population, self._moving, self.device, plan)
        capturable = self.device.type == "cuda"
        self.optimizer = phase.optimizer.build(self.rates.groups, self.rates.base, capturable)
        load_optimizer(self.optimizer, self.resumed_optimizer)
        self.resumed_optimizer = {}

    def _let_go(self, plan: Plan, step: int) -> bool:
        """Let tasks that sharing harms go on apart, as the guard asks; true if there are new ones."""
        wanted = to_let_go(self.run.method.guard, self.ledgers, self.population.method, step, self.total)
        if not wanted:
            return False
        assert self.optimizer is not None
        before, kept = self.population.parameters, self.optimizer.state
        former = self.population.go_apart({*self.population.method.apart, *wanted})
        self.enter(plan)
        momenta = {name: kept.get(before[former[name]]) for name in self.population.parameters}
        inherit(self.optimizer, self.population.parameters, momenta)
        return True

    def pool(self, plan: Plan) -> Pool:
        """The rows that a phase reads, on the device."""
        assert plan.phase.batch is not None
        parts = [stream_parts(plan.phase, own) for own in self.data]
        seeds = [run.seed for run in self.runs]
        kind = LoaderPool if self.engine.rows == "loader" else Pool
        where = (self.device, self.dtype)
        pool = kind(seeds, parts, plan.phase.batch, plan.number, *where, self.run.data.augment, self.tasks)
        pool.start(self.engine.loaders, self.clock)
        self.cut = cut_of(self.population, plan, self.run)
        if self.cut and not put_features(pool, parts, self.population, plan, self.cut, self._precision()):
            self.cut = 0
        return pool

    def steps(self, plan: Plan, pool: Pool) -> Steps:
        """The steps of a phase, each of which trains the tasks that the phase's sampling chooses."""
        parts = [stream_parts(plan.phase, own) for own in self.data]
        choice = choice_of(plan, self.population.seeds, parts, self.tasks)
        conflict = self.engine.conflict
        return Steps(partial(self.step_function, plan, pool), choice, conflict.every if conflict else 0)

    def step_function(self, plan: Plan, pool: Pool, tasks: Active = None, watched: bool = False) -> StepFunction:
        """One training step of these tasks as a function of tensors alone, captured where that is possible.

        Args:
            plan: The phase.
            pool: Its rows.
            tasks: Those that the step trains; None for all.
            watched: Whether it logs the tasks' conflict.
        """
        wishes = [(sub, self._sub_parameters(sub, plan)) for sub in self.population.method.steps()]
        subs = [(sub, wanted) for sub, wanted in wishes if wanted or not sub.trains]  # What is frozen takes no step.
        assert self.optimizer is not None
        step = Update(
            self.population,
            pool,
            self.rates,
            self.optimizer,
            self._moving,
            independent(self.population, self._moving),
            subs,
            plan.phase.clip,
            after(self.cut, self._precision()),
            tasks,
            wants_after_step(self.population.method),
            self.engine.conflict if watched else None,
        )
        return maybe_capture(step, self.engine.capture, self.device, hosts_of(self.population.method, pool.host))

    def inputs(self, plan: Plan, pool: Pool, start: int, stop: int) -> Iterator[Inputs]:
        """The tensors of steps `start` to `stop` of a phase, copied to the device together."""
        index = pool.block(start, stop - start)
        if not self.population.stacked:
            index = index[:, 0]
        steps = torch.arange(start, stop, device=self.device)
        rate = rates(plan.phase, steps)
        progress = steps.to(self.dtype) / max(plan.steps, 1)
        total_progress = (steps + plan.offset).to(self.dtype) / max(self.total, 1)
        strengths = self.population.method.strengths(progress)
        numbers = steps + plan.offset
        for row in zip(index, numbers, progress, total_progress, strengths, rate, strict=True):
            yield Inputs(*row)

    def _window(self, plan: Plan, pool: Pool, step: Steps, start: int, stop: int) -> None:
        """Take the steps between two boundaries, then bring their losses to the host in one copy."""
        with self.clock.stepping():
            each = enumerate(self.inputs(plan, pool, start, stop), start)
            logged = Logged.of([step(number, inputs) for number, inputs in each])
        for copy, ledger in enumerate(self.ledgers):
            found = broken(logged.values[:, :, copy], logged.names, plan.offset + start)
            ledger.failure = ledger.failure or found
            if not ledger.failure:
                ledger.log(plan.offset + stop, logged.means(copy))

    def _after_window(self, plan: Plan, stop: int) -> None:
        step = plan.offset + stop
        values = {run.seed: ledger.at(step) for run, ledger in zip(self.runs, self.ledgers, strict=True)}
        self.hooks.report(Report(step, self.total, values))
        if self.hooks.stop():
            raise Stopped
        if step < self.total:
            self.hooks.checkpoint(self)

    def _boundary(self, plan: Plan) -> int:
        """The next step of the phase at which losses are flushed, a checkpoint is judged or the phase ends."""
        start = self.position.step
        flush = (start // self.engine.flush + 1) * self.engine.flush
        refreshes = refresh_points(self.population.method, plan.offset, plan.end)
        thawing = {plan.offset + step for step in thaws(self.population, plan.phase)}
        inner = [point - plan.offset for point in {*self.points, *refreshes, *thawing} if point - plan.offset > start]
        return min([flush, plan.steps, *inner])

    def _evaluate(self, step: int) -> None:
        """Let every rule judge the current weights of every seed that still runs."""
        past = self.plans[: self.position.phase + 1]
        point = Point(step, past, self.points.get(step, True), self.former)
        judge(point, self.population, self.runs, self.evaluators, self.ledgers)

    def _over(self, plan: Plan) -> bool:
        """Whether a phase has taken its steps, lost its patience or no copy left."""
        patience = plan.phase.patience
        tired = patience is not None and self.ledgers[0].waited >= patience.evaluations
        return tired or self.position.step >= plan.steps or all(ledger.failure for ledger in self.ledgers)

    def _close(self, plan: Plan) -> None:
        """Hand on the best weights of a phase that watched a score."""
        if plan.phase.patience is None:
            return
        ledger = self.ledgers[0]
        ledger.log(plan.offset + self.position.step, {f"phase.{plan.number}.steps": float(self.position.step)})
        if plan.phase.patience.restore and ledger.standing is not None:
            self.population.load(ledger.snapshots[ledger.standing.step])
        ledger.standing, ledger.waited = None, 0

    def _sub_parameters(self, sub: SubStep, plan: Plan) -> list[nn.Parameter]:
        wanted = {id(value) for value in trained(self.population, sub.trains, f"sub-step {sub.name}")}
        return [own for own in self._moving if id(own) in wanted and own.requires_grad]

    def _precision(self) -> Precision:
        """Makes the context in which losses are computed."""
        if self.engine.precision != "bf16":
            return nullcontext
        return partial(torch.autocast, self.device.type, dtype=torch.bfloat16)
