"""A bound recipe as a module: what one step computes, written for one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from dareps.alignment._modules import AlignmentModule
from dareps.alignment._networks import Networks
from dareps.alignment._settings import AlignmentSettings
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory, group_scope
from dareps.maths.keys import key_of
from dareps.maths.noise import Noise, name_places, noise_scope
from dareps.maths.precision import wide
from dareps.recipe.forward import Forward
from dareps.recipe.settings import Recipe
from dareps.sharing._modules import Group
from dareps.tasks import kind_of
from dareps.types import ORDINARY, Batch, Labelled, Losses, Representation, Shapes, Step, SubStep, Task, View, lead_task


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
        self.domains = sources + targets
        with torch.random.fork_rng(devices=()):
            self._build(shape, sources, targets)
            initialise(self, seed)
        for module in self._modules_of(tuple(range(len(self.align)))):
            module.attach(self.networks)
        name_places(self)
        self.activate(tuple(range(len(self.align))))

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
        self.encoder = self.recipe.sharing.build(lambda: settings.build(shape, norm), self.branches)
        self.features = _width(self.encoder, shape, self.branches, self.domains[0])
        self.heads = nn.ModuleDict({task.name: nn.Linear(self.features, task.size) for task in self.tasks})
        shapes = Shapes(self.features, self.lead.size, sources, targets)
        self.align = nn.ModuleList([part.build(shapes) for part in self.recipe.align])
        self.balance = self.recipe.balance.build(self.tasks)

    def represent(self, joined: Tensor, groups: Sequence[Group]) -> list[dict[str, Representation]]:
        """Representations per group and branch; `joined` (n, *shape) holds the groups' rows in order."""
        with group_scope([(self.domains.index(group.domain), group.rows) for group in groups]):
            result: list[dict[str, Representation]] = self.encoder(joined, groups)
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
            terms, values = self._alignments(batch, representations, logits, step)
        tasks = self._task_losses(batch, logits, step.tasks or self.branches) if step.sub.tasks else {}
        return Losses(tasks=tasks, terms=terms, values=values)

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
            balanced = self.balance(losses.tasks, step)
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

    def after_step(self, progress: Tensor) -> None:
        """Let the active alignments update buffers from parameters."""
        for module in self._modules_of(self.active):
            module.after_step(progress, self.networks)

    def _modules_of(self, indices: Sequence[int]) -> list[AlignmentModule]:
        return [self._module(index) for index in indices]

    def _module(self, index: int) -> AlignmentModule:
        module = self.align[index]
        assert isinstance(module, AlignmentModule)
        return module

    def _logits(self, batch: Batch, representations: list[dict[str, Representation]]) -> list[dict[str, Tensor]]:
        """Head outputs per stream and task, for labelled streams and where an active alignment reads them."""
        return [
            {name: wide(self.heads[name](reps[name].task)) for name in reps}
            if self._reads_logits or isinstance(rows, Labelled)
            else {}
            for rows, reps in zip(batch.streams, representations, strict=True)
        ]

    def _task_losses(self, batch: Batch, logits: list[dict[str, Tensor]], trained: Sequence[str]) -> dict[str, Tensor]:
        """Mean loss per task over the labels that the labelled streams have of it."""
        losses: dict[str, Tensor] = {}
        for task in (own for own in self.tasks if own.name in trained):
            pairs = [
                (rows, outputs[task.name])
                for rows, outputs in zip(batch.streams, logits, strict=True)
                if isinstance(rows, Labelled) and task.name in rows.y
            ]
            if pairs:
                losses[task.name] = _task_loss(task, pairs)
        return losses

    def _alignments(
        self,
        batch: Batch,
        representations: list[dict[str, Representation]],
        logits: list[dict[str, Tensor]],
        step: Step,
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
        strengths = self.strengths(step.progress) if step.strengths is None else step.strengths
        for index in self.active if step.sub.owner is None else (step.sub.owner,):
            module = self._module(index)
            name = f"align.{index}.{type(module.settings).name}"
            value = values[name] = module(views, strengths[index], step)
            terms[name] = value if module.settings.reverses else strengths[index] * value
        return terms, values

    def strengths(self, progress: Tensor) -> Tensor:
        """Weight times schedule of every alignment at `progress` (*t,): (*t, k)."""
        if not self.recipe.align:
            return progress.new_zeros(*progress.shape, 0)
        return torch.stack([part.weight * part.schedule(progress) for part in self.recipe.align], dim=-1)

    def _views(
        self, batch: Batch, representations: list[dict[str, Representation]], logits: list[dict[str, Tensor]]
    ) -> list[View]:
        """Every stream as alignments see it: features, and outputs and labels of the lead task."""
        task, classes = self.lead.name, self.lead.kind == "classification"
        views = []
        for rows, reps, outputs in zip(batch.streams, representations, logits, strict=True):
            labels = rows.y.get(task) if classes and isinstance(rows, Labelled) and rows.role == "source" else None
            views.append(View(rows.domain, rows.role, wide(reps[task].shared), outputs.get(task), labels))
        return views


def _task_loss(task: Task, pairs: Sequence[tuple[Labelled, Tensor]]) -> Tensor:
    """The mean loss of a task over its labels in all streams, 0-d; complete streams weigh the same, being of one size.

    Args:
        task: The task.
        pairs: Streams with labels of it, and the head's outputs (n, size) there.
    """
    kind = kind_of(task)
    if all(task.name in rows.complete for rows, _ in pairs):
        found = [kind.loss(outputs, rows.y[task.name], complete=True) for rows, outputs in pairs]
        return found[0] if len(found) == 1 else torch.stack(found).mean()
    outputs, labels = (
        torch.cat(parts) for parts in zip(*((own, rows.y[task.name]) for rows, own in pairs), strict=True)
    )
    return kind.loss(outputs, labels, complete=False)


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


def initialise(module: nn.Module, seed: int) -> None:
    """Draw every submodule's weights by PyTorch's own rule under a generator keyed by (seed, path of the module).

    So modules of the same path and shape start equal in every recipe, and adding one changes no other.
    """
    for path, child in module.named_modules():
        reset = getattr(child, "reset_parameters", None)
        if callable(reset):
            torch.manual_seed(key_of("initialise", seed, path) % 2**63)
            reset()


def _width(encoder: nn.Module, shape: tuple[int, ...], branches: tuple[str, ...], domain: str) -> int:
    """Width of the representation that heads read, by a pass of two rows of zeros."""
    training = encoder.training
    encoder.eval()
    with torch.no_grad(), group_scope([(0, 2)]):
        found = encoder(torch.zeros(2, *shape), [Group(2, domain, branches)])
    encoder.train(training)
    return int(found[0][branches[0]].task.shape[-1])
