"""A bound recipe as a module: what one step computes, written for one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from dareps.alignment._modules import AlignmentModule
from dareps.data._frame import WHOLE, Frame
from dareps.maths.domains import NormFactory, group_scope
from dareps.maths.networks import Networks
from dareps.maths.noise import Noise, name_places, noise_scope
from dareps.recipe.class_weights import ClassWeights
from dareps.recipe.forward import Forward, represent_anew
from dareps.recipe.gram import Heads, agreement, grams_of
from dareps.recipe.heads import outputs as head_outputs
from dareps.recipe.initial import initialise, shared_names, widths
from dareps.recipe.objective import objective, strengths
from dareps.recipe.regularised import Regularised, Taps
from dareps.recipe.settings import Recipe
from dareps.recipe.shadows import Shadows, drawn_as
from dareps.recipe.stems import NONE, Inputs, inputs_of
from dareps.recipe.substeps import substeps
from dareps.recipe.task_losses import smoothing_of, task_losses
from dareps.recipe.views import refuse_outputs, views_of, with_inputs
from dareps.sharing._apart import Apart, apart_in
from dareps.sharing._base import Blueprint, Term
from dareps.sharing._modules import Found, Group, Seen, SharingModule
from dareps.transfer._report import MappingReport
from dareps.types import AGAIN, Batch, Labelled, Losses, Meeting, Shapes, Step, SubStep, Task, lead_task


class Method(nn.Module):
    """Encoder by sharing scheme, a head per task, and the alignments.

    Args:
        recipe: A resolved recipe.
        shape: Shape of one input.
        tasks: What is predicted.
        sources: Source domains; `targets` likewise.
        seed: Seed of the initial weights; `start` then changes them, before anything copies them.
        forms: Domain -> shape of one row before it was flattened, where domains differ in it.
        frame: What encoders see of an image.
    """

    def __init__(
        self,
        recipe: Recipe,
        shape: tuple[int, ...],
        tasks: Sequence[Task],
        sources: tuple[str, ...],
        targets: tuple[str, ...],
        seed: int,
        forms: Mapping[str, tuple[int, ...]] = NONE,
        start: Callable[[Method], MappingReport | None] = lambda _: None,
        frame: Frame = WHOLE,
    ) -> None:
        super().__init__()
        self.recipe, self.tasks, self.frame = recipe, tuple(tasks), frame
        self.lead = lead_task(self.tasks)
        self.branches = tuple(task.name for task in tasks)
        self.sources, self.targets, self.domains = sources, targets, sources + targets
        with torch.random.fork_rng(devices=()):
            self._build(inputs_of(recipe, shape, forms, self.domains, frame))
            initialise(self, seed, self.drawn_as)
        self.origin = start(self)
        self.encoder.attach(self.heads)
        for module in self._modules_of(tuple(range(len(self.align)))):
            module.attach(self.networks)
        self.regularise.attach(self.networks)
        name_places(self)
        self.shadow.name_places()
        self.activate(tuple(range(len(self.align))))
        self.moving = frozenset(name for name, _ in self.encoder.named_parameters())
        self.shared = shared_names(self.encoder)

    def activate(self, indices: tuple[int, ...], phase: int = 0) -> None:
        """Say which alignments act in the current phase, and which phase that is."""
        self.regularise.enter(phase)
        self.reweight.enter(phase)
        self.active, self.smoothing = indices, smoothing_of(self.recipe.phases[phase])
        settings = [module.settings for module in self._modules_of(indices)]
        self._reads_logits = any(own.reads != "shared" for own in settings)
        refuse_outputs(indices, settings, self.lead)
        self._forwards = any(own.forwards for own in settings)

    @property
    def networks(self) -> Networks:
        """What predicts, by itself: the encoder and the heads."""
        return Networks(self.encoder, self.heads)

    def _build(self, inputs: Inputs) -> None:
        assert self.recipe.normalise is not None
        norm = NormFactory(self.recipe.normalise, len(self.domains))
        blueprint = Blueprint(inputs.maker(self.recipe, norm), inputs.shape, self.tasks, self.domains)
        self.encoder: SharingModule = self.recipe.sharing.build(blueprint)
        self.apart: tuple[str, ...] = ()
        self._joint = (self.encoder,)  # In a tuple, so that it is no part of the method where no task shares any more.
        self.widths, shared = widths(self.encoder, blueprint)
        self.features = shared[self.lead.name]
        self.heads = nn.ModuleDict({task.name: nn.Linear(self.widths[task.name], task.size) for task in self.tasks})
        shapes = Shapes(self.features, self.lead.size, self.sources, self.targets)
        self.align = nn.ModuleList([part.build(shapes) for part in self.recipe.align])
        self.balance = self.recipe.balance.build(self.tasks)
        if self.recipe.guard is not None:
            self.recipe.guard.scores_of(self.branches)
        self.regularise = Regularised(self.recipe.phases, self.tasks)
        self.reweight = ClassWeights(self.recipe.phases, self.tasks, self.sources)
        self.shadow = Shadows(self.recipe.guard, inputs, norm, self.tasks, self.domains)

    def go_apart(self, tasks: Iterable[str]) -> None:
        """Give each of these tasks, and no other, what it shared as a copy of its own, to go on from there.

        A task that is apart keeps its copy, one that no longer is loses it.
        """
        wanted = tuple(name for name in self.branches if name in set(tasks))
        if wanted == self.apart:
            return
        kept = self.encoder.alone if isinstance(self.encoder, Apart) else None
        joint, self.apart = self._joint[0], wanted
        self.encoder = Apart(joint, kept, wanted, self.branches, self.domains) if wanted else joint
        self.shared = shared_names(self.encoder)

    def adopt(self, weights: Mapping[str, Tensor]) -> None:
        """Take over parameters and buffers, with the tasks apart that are apart in them."""
        self.go_apart(apart_in(weights))
        self.load_state_dict(weights)

    def drawn_as(self, path: str) -> str:
        """The path under which the weights at `path` are drawn."""
        head, _, rest = path.partition(".")
        if head == "shadow":
            return drawn_as(rest)
        return f"encoder.{self.encoder.drawn_as(rest)}" if head == "encoder" and rest else path

    def represent(self, joined: Tensor, groups: Sequence[Group]) -> Found:
        """Representations per group and task; `joined` (n, *shape) holds the groups' rows in order."""
        with group_scope([(self.domains.index(group.domain), group.rows) for group in groups]):
            result: Found = self.encoder(joined, groups, self.heads)
        return result

    def forward(self, batch: Batch, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective (0-d) and the unweighted parts for the log; of a look, the sum of the task losses and these."""
        if not step.sub.trains:
            return self._look(self.reweight.on(batch), step)
        losses = self.losses(self.reweight.on(batch), step)
        values = {f"task.{name}": value for name, value in losses.tasks.items()}
        total, weights = objective(losses, step, self.balance, self.apart)
        return total, {**values, **weights, **losses.values}

    def _look(self, batch: Batch, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        with noise_scope(cast(Noise, step.noise)):
            found = self._anew(batch, self._groups(batch, step), {})
            losses = task_losses(self._trained(step), batch.streams, self._logits(batch, found), self.smoothing)
        if step.sub == AGAIN and losses:
            self.balance.follow(losses)
        return sum(losses.values(), batch.joined.new_zeros(())), {f"task.{name}": own for name, own in losses.items()}

    def losses(self, batch: Batch, step: Step) -> Losses:
        """Task losses of labelled streams and the active alignments between all streams."""
        with noise_scope(cast(Noise, step.noise)):
            groups = self._groups(batch, step)
            with self.regularise.recording() as taps:
                representations = self.represent(batch.joined, groups)
            logits = self._logits(batch, representations)
            strengths = self.strengths(step.progress) if step.strengths is None else step.strengths
            terms, values = self._alignments(batch, representations, logits, step, strengths)
            if step.sub.owner is None and (self.encoder.adds or self.regularise.acting):
                seen = Seen(self.frame(batch.joined), groups, representations, self.heads)
                added = self._penalties(seen, batch, taps, strengths)
                terms, values = {**terms, **added[0]}, {**values, **added[1]}
            trained = self._trained(step)
            tasks = task_losses(trained, batch.streams, logits, self.smoothing) if step.sub.tasks else {}
            if tasks and len(self.shadow):
                beside = self.shadow.losses(trained, batch, self.smoothing)
                terms, values = {**terms, **beside}, {**values, **beside}
            if not tasks or not (self.balance.reads or step.pairs):
                return Losses(tasks=tasks, terms=terms, values=values)
            learned = [task for task in trained if task.name in tasks and task.name not in self.apart]
            own = Heads(learned, self.heads, batch.streams, representations, logits, self.smoothing)
            grams = self._grams(batch, groups, own, step)
            values |= agreement([task.name for task in learned], grams[step.pairs]) if step.pairs in grams else {}
        return Losses(tasks=tasks, terms=terms, values=values, gram=grams.get(self.balance.reads))

    def _grams(self, batch: Batch, groups: Sequence[Group], own: Heads, step: Step) -> dict[Meeting | None, Tensor]:
        """The inner products that the balancer or the log reads, by where the gradients are taken."""
        asking = {step.pairs: "engine.conflict.pairs", self.balance.reads: f"balance {self.recipe.balance.name}"}
        return grams_of(own, asking, partial(self._anew, batch, groups), self._shared)

    def _shared(self) -> dict[str, Tensor]:
        """The parameters that tasks share and that move, by their names in the encoder."""
        weights = dict(self.encoder.named_parameters())
        return {name: weights[name].detach() for name in self.shared if name in self.moving}

    def _groups(self, batch: Batch, step: Step) -> list[Group]:
        branches = self._wanted(step)
        return [Group(len(rows.x), rows.domain, branches) for rows in batch.streams]

    def _anew(
        self, batch: Batch, groups: Sequence[Group], parameters: Mapping[str, Tensor], tasks: tuple[str, ...] = ()
    ) -> Found:
        """The step's representations anew, of some tasks, with some of the encoder's parameters replaced."""
        groups = [replace(group, tasks=tasks) for group in groups] if tasks else groups
        with group_scope([(self.domains.index(group.domain), group.rows) for group in groups]):
            return represent_anew(self.encoder, batch.joined, groups, self.heads, parameters)

    def _trained(self, step: Step) -> list[Task]:
        return [task for task in self.tasks if step.tasks is None or task.name in step.tasks]

    def _wanted(self, step: Step) -> tuple[str, ...]:
        """Tasks whose representation a step needs: those it trains, the lead task where alignments act, old ones."""
        if step.tasks is None:
            return self.branches
        wanted = {*step.tasks, *((self.lead.name,) if self.active else ()), *self.regularise.reads}
        return tuple(name for name in self.branches if name in wanted)

    def steps(self) -> tuple[SubStep, ...]:
        """The sub-steps of one training step: the ordinary one, between those that active alignments ask for."""
        asked = {index: self._module(index).steps() for index in self.active}
        shared = set(self.branches) > set(self.apart)  # Else there is nothing to balance.
        return substeps(asked, shared and self.balance.looks_again)

    def begin(self) -> None:
        """Let the active alignments set buffers from parameters: a phase begins."""
        for module in self._modules_of(self.active):
            module.begin(self.networks)
        self.regularise.begin(self.networks)

    def after_step(self, progress: Tensor, rate: Tensor) -> None:
        """Let the sharing scheme pull on parameters, and it and the active alignments update buffers from them."""
        term = self.recipe.sharing.proximal()
        if term is not None:
            self.encoder.pull(rate * term.weight * term.schedule(progress), self.moving)
        self.encoder.after_step(self.heads)
        for module in self._modules_of(self.active):
            module.after_step(progress, self.networks)
        if self.regularise.follows:
            self.regularise.after_step(progress, rate, self.networks, self.moving)

    def _modules_of(self, indices: Sequence[int]) -> list[AlignmentModule]:
        return [self._module(index) for index in indices]

    def _module(self, index: int) -> AlignmentModule:
        module = self.align[index]
        assert isinstance(module, AlignmentModule)
        return module

    def _logits(self, batch: Batch, representations: Found) -> list[dict[str, Tensor]]:
        """Head outputs per stream and task, for labelled streams and where an active alignment reads them."""
        return [
            head_outputs(self.heads, reps) if self._reads_logits or isinstance(rows, Labelled) else {}
            for rows, reps in zip(batch.streams, representations, strict=True)
        ]

    def _alignments(
        self, batch: Batch, representations: Found, logits: list[dict[str, Tensor]], step: Step, strengths: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        terms, values = dict[str, Tensor](), dict[str, Tensor]()
        if not self.active:
            return terms, values
        views = self.reweight.sources.seen(views_of(batch, representations, logits, self.lead))
        if self._forwards:
            views = with_inputs(views, batch)
            model = Forward(self.networks, self.domains, self.lead.name, step.noise, batch.augment)
            step = replace(step, model=model)
        for index in self.active if step.sub.owner is None else (step.sub.owner,):
            module = self._module(index)
            name = f"align.{index}.{type(module.settings).name}"
            value = values[name] = module(views, strengths[index], step)
            terms[name] = value if module.settings.reverses else strengths[index] * value
        return terms, values

    def _penalties(
        self, seen: Seen, batch: Batch, taps: Taps, strengths: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Penalties of the sharing scheme and of regularisers, weighted for the total and as they are for the log."""
        found = {f"sharing.{name}": value for name, value in self.encoder.penalties(seen).items()}
        blocks = [(self.domains.index(group.domain), group.rows) for group in seen.groups]
        found |= self.regularise.penalties(seen, batch.streams, taps, blocks, self.networks, self.moving)
        numbers = {term.name: number for number, term in enumerate(self._terms(), len(self.align))}
        terms = {name: strengths[numbers[name]] * value for name, value in found.items()}
        return terms, found | {f"sharing.{name}": value for name, value in self.encoder.telemetry(seen).items()}

    def _terms(self) -> list[Term]:
        """What has a weight and a schedule beside the alignments: the sharing scheme's penalties and regularisers'."""
        own = [replace(term, name=f"sharing.{term.name}") for term in self.recipe.sharing.terms()]
        return own + self.regularise.terms()

    def strengths(self, progress: Tensor) -> Tensor:
        """Weight times schedule of every alignment, then of every penalty, at `progress` (*t,): (*t, k)."""
        return strengths([*self.recipe.align, *self._terms()], progress)
