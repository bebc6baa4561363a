"""A bound recipe as a module: what one step computes, written for one seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from dareps.alignment._base import Alignment
from dareps.alignment._modules import AlignmentModule
from dareps.alignment._networks import Networks
from dareps.alignment._settings import AlignmentSettings
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory, group_scope
from dareps.maths.keys import key_of
from dareps.maths.noise import Noise, name_places, noise_scope
from dareps.maths.precision import wide
from dareps.recipe.forward import Forward
from dareps.recipe.gram import feature_gram
from dareps.recipe.heads import outputs as head_outputs
from dareps.recipe.heads import undecided
from dareps.recipe.settings import Recipe
from dareps.recipe.task_losses import task_losses
from dareps.sharing._base import Blueprint, Term
from dareps.sharing._modules import Found, Group, Seen, SharingModule
from dareps.types import ORDINARY, Batch, Labelled, Losses, Shapes, Step, SubStep, Task, View, lead_task


class Method(nn.Module):
    """Encoder by sharing scheme, a head per task, and the alignments.

    Args:
        recipe: A resolved recipe.
        shape: Shape of one input.
        tasks: What is predicted.
        sources: Source domains; `targets` likewise.
        seed: Seed of the initial weights.
    """

    def __init__(
        self,
        recipe: Recipe,
        shape: tuple[int, ...],
        tasks: Sequence[Task],
        sources: tuple[str, ...],
        targets: tuple[str, ...],
        seed: int,
    ) -> None:
        super().__init__()
        self.recipe, self.tasks = recipe, tuple(tasks)
        self.lead = lead_task(self.tasks)
        self.branches = tuple(task.name for task in tasks)
        self.sources, self.targets, self.domains = sources, targets, sources + targets
        with torch.random.fork_rng(devices=()):
            self._build(shape, sources, targets)
            initialise(self, seed, self._drawn_as)
        self.encoder.attach(self.heads)
        for module in self._modules_of(tuple(range(len(self.align)))):
            module.attach(self.networks)
        name_places(self)
        self.activate(tuple(range(len(self.align))))
        self.moving = frozenset(name for name, _ in self.encoder.named_parameters())

    def activate(self, indices: tuple[int, ...]) -> None:
        """Say which alignments act in the current phase."""
        self.active = indices
        settings = [module.settings for module in self._modules_of(indices)]
        self._reads_logits = any(own.reads != "shared" for own in settings)
        if self._reads_logits and self.lead.kind != "classification":
            _refuse_outputs(indices, settings, self.lead)
        self._forwards = any(own.forwards for own in settings)

    @property
    def networks(self) -> Networks:
        """What predicts, by itself: the encoder and the heads."""
        return Networks(self.encoder, self.heads)

    def _build(self, shape: tuple[int, ...], sources: tuple[str, ...], targets: tuple[str, ...]) -> None:
        settings = self.recipe.encoder
        assert settings is not None
        assert self.recipe.normalise is not None
        norm = NormFactory(self.recipe.normalise, len(self.domains))
        blueprint = Blueprint(lambda: settings.build(shape, norm), shape, self.tasks, self.domains)
        self.encoder = self.recipe.sharing.build(blueprint)
        self.widths, shared = _widths(self.encoder, blueprint)
        self.features = shared[self.lead.name]
        self.heads = nn.ModuleDict({task.name: nn.Linear(self.widths[task.name], task.size) for task in self.tasks})
        shapes = Shapes(self.features, self.lead.size, sources, targets)
        self.align = nn.ModuleList([part.build(shapes) for part in self.recipe.align])
        self.balance = self.recipe.balance.build(self.tasks)

    def _drawn_as(self, path: str) -> str:
        """The path under which the weights at `path` are drawn."""
        head, _, rest = path.partition(".")
        return f"encoder.{self.encoder.drawn_as(rest)}" if head == "encoder" and rest else path

    def represent(self, joined: Tensor, groups: Sequence[Group]) -> Found:
        """Representations per group and task; `joined` (n, *shape) holds the groups' rows in order."""
        with group_scope([(self.domains.index(group.domain), group.rows) for group in groups]):
            result: Found = self.encoder(joined, groups, self.heads)
        return result

    def forward(self, batch: Batch, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective (0-d) and the unweighted parts for the log."""
        losses = self.losses(batch, step)
        values = {f"task.{name}": value for name, value in losses.tasks.items()}
        total, weights = self.total(losses, step)
        return total, {**values, **weights, **losses.values}

    def losses(self, batch: Batch, step: Step) -> Losses:
        """Task losses of labelled streams and the active alignments between all streams."""
        with noise_scope(cast(Noise, step.noise)):
            branches = self._wanted(step)
            groups = [Group(len(rows.x), rows.domain, branches) for rows in batch.streams]
            representations = self.represent(batch.joined, groups)
            logits = self._logits(batch, representations)
            strengths = self.strengths(step.progress) if step.strengths is None else step.strengths
            terms, values = self._alignments(batch, representations, logits, step, strengths)
            if step.sub.owner is None and self.encoder.adds:
                added = self._penalties(Seen(batch.joined, groups, representations, self.heads), strengths)
                terms, values = {**terms, **added[0]}, {**values, **added[1]}
            tasks = self._task_losses(batch, logits, step) if step.sub.tasks else {}
            gram = self._gram(batch, representations, tasks) if tasks and self.balance.reads_gradients else None
        return Losses(tasks=tasks, terms=terms, values=values, gram=gram)

    def _gram(self, batch: Batch, representations: Found, losses: Mapping[str, Tensor]) -> Tensor:
        tasks = [task for task in self.tasks if task.name in losses]
        return feature_gram(tasks, self.heads, batch.streams, representations)

    def _task_losses(self, batch: Batch, logits: list[dict[str, Tensor]], step: Step) -> dict[str, Tensor]:
        named = step.tasks
        trained = self.tasks if named is None else [task for task in self.tasks if task.name in named]
        return task_losses(trained, batch.streams, logits)

    def _wanted(self, step: Step) -> tuple[str, ...]:
        """Tasks whose representation a step needs: those it trains, and the lead task where alignments act."""
        if step.tasks is None:
            return self.branches
        wanted = {*step.tasks, *((self.lead.name,) if self.active else ())}
        return tuple(name for name in self.branches if name in wanted)

    def total(self, losses: Losses, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective, 0-d: balanced task losses plus terms; and the weights of tasks for the log."""
        parts, weights = list(losses.terms.values()), {}
        if losses.tasks:
            balanced = self.balance(losses.tasks, step, losses.gram)
            total, weights = balanced.total, balanced.weights
        else:
            total = parts.pop(0)
        for part in parts:
            total = total + part
        return total, {f"balance.{name}": weight for name, weight in weights.items()}

    def steps(self) -> tuple[SubStep, ...]:
        """The sub-steps of one training step: the ordinary one, between those that active alignments ask for."""
        before: list[SubStep] = []
        after: list[SubStep] = []
        for index in self.active:
            wanted = self._module(index).steps()
            middle = wanted.index(ORDINARY) if ORDINARY in wanted else len(wanted)
            before += [_owned(sub, index) for sub in wanted[:middle]]
            after += [_owned(sub, index) for sub in wanted[middle + 1 :]]
        return (*before, ORDINARY, *after)

    def begin(self) -> None:
        """Let the active alignments set buffers from parameters: a phase begins."""
        for module in self._modules_of(self.active):
            module.begin(self.networks)

    def after_step(self, progress: Tensor, rate: Tensor) -> None:
        """Let the sharing scheme pull on parameters, and it and the active alignments update buffers from them."""
        term = self.recipe.sharing.proximal()
        if term is not None:
            self.encoder.pull(rate * term.weight * term.schedule(progress), self.moving)
        self.encoder.after_step(self.heads)
        for module in self._modules_of(self.active):
            module.after_step(progress, self.networks)

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
        self,
        batch: Batch,
        representations: Found,
        logits: list[dict[str, Tensor]],
        step: Step,
        strengths: Tensor,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        terms: dict[str, Tensor] = {}
        values: dict[str, Tensor] = {}
        if not self.active:
            return terms, values
        views = self._views(batch, representations, logits)
        if self._forwards:
            views = _with_inputs(views, batch)
            model = Forward(self.networks, self.domains, self.lead.name, step.noise, batch.augment)
            step = replace(step, model=model)
        for index in self.active if step.sub.owner is None else (step.sub.owner,):
            module = self._module(index)
            name = f"align.{index}.{type(module.settings).name}"
            value = values[name] = module(views, strengths[index], step)
            terms[name] = value if module.settings.reverses else strengths[index] * value
        return terms, values

    def _penalties(self, seen: Seen, strengths: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The sharing scheme's penalties as they enter the total, and unweighted with its telemetry for the log."""
        found = self.encoder.penalties(seen)
        numbers = {term.name: number for number, term in enumerate(self.recipe.sharing.terms(), len(self.align))}
        terms = {f"sharing.{name}": strengths[numbers[name]] * value for name, value in found.items()}
        values = {**found, **self.encoder.telemetry(seen)}
        return terms, {f"sharing.{name}": value for name, value in values.items()}

    def strengths(self, progress: Tensor) -> Tensor:
        """Weight times schedule of every alignment, then of every sharing term, at `progress` (*t,): (*t, k)."""
        weighted: list[Alignment | Term] = [*self.recipe.align, *self.recipe.sharing.terms()]
        if not weighted:
            return progress.new_zeros(*progress.shape, 0)
        return torch.stack([part.weight * part.schedule(progress) for part in weighted], dim=-1)

    def _views(self, batch: Batch, representations: Found, logits: list[dict[str, Tensor]]) -> list[View]:
        """Every stream as alignments see it: features, and outputs and labels of the lead task."""
        task, classes = self.lead.name, self.lead.kind == "classification"
        views = []
        for rows, reps, outputs in zip(batch.streams, representations, logits, strict=True):
            labels = rows.y.get(task) if classes and isinstance(rows, Labelled) and rows.role == "source" else None
            views.append(View(rows.domain, rows.role, wide(reps[task].shared), outputs.get(task), labels))
        return views


def _with_inputs(views: Sequence[View], batch: Batch) -> list[View]:
    """The views with each stream's inputs, augmented and plain."""
    joined = batch.joined if batch.plain is None else batch.plain
    plain = torch.split(joined, [len(rows.x) for rows in batch.streams])
    parts = zip(views, batch.streams, plain, strict=True)
    return [replace(view, x=rows.x, plain=own) for view, rows, own in parts]


def _refuse_outputs(indices: Sequence[int], settings: Sequence[AlignmentSettings], lead: Task) -> None:
    """Raise `ConfigError`: an alignment reads outputs as classes, but no task has classes."""
    index, name = next((index, own.name) for index, own in zip(indices, settings, strict=True) if own.reads != "shared")
    what = f"{name} reads outputs as classes, but the first task is one of {lead.kind}"
    raise ConfigError(f"align.{index}", what, lead.name, "Align features, or add a task of classes.")


def _owned(sub: SubStep, index: int) -> SubStep:
    """A sub-step as an alignment asked for it, with `align` meaning that alignment's own parameters."""
    trains = tuple(f"align.{index}" if part == "align" else part for part in sub.trains)
    return replace(sub, owner=index, trains=trains)


def initialise(module: nn.Module, seed: int, drawn_as: Callable[[str], str] = lambda path: path) -> None:
    """Draw every submodule's weights by PyTorch's own rule under a generator keyed by (seed, path of the module).

    So modules of the same path and shape start equal in every recipe, and adding one changes no other. `drawn_as` gives
    the path to use in place of a module's own: branches of a sharing scheme start as copies of one draw.
    """
    for path, child in module.named_modules():
        reset = getattr(child, "reset_parameters", None)
        if callable(reset):
            torch.default_generator.manual_seed(key_of("initialise", seed, drawn_as(path)) % 2**63)
            reset()


def _widths(encoder: SharingModule, blueprint: Blueprint) -> tuple[dict[str, int], dict[str, int]]:
    """By task the width of what its head reads, and of what alignments see, by a pass of two rows of zeros."""
    training = encoder.training
    encoder.eval()
    with torch.no_grad(), group_scope([(0, 2)]):
        groups = [Group(2, blueprint.domains[0], blueprint.names)]
        (found,) = encoder(torch.zeros(2, *blueprint.shape), groups, undecided(blueprint.tasks))
    encoder.train(training)
    read = {task: own.task.shape[-1] for task, own in found.items()}
    return read, {task: own.shared.shape[-1] for task, own in found.items()}
