"""Bound settings: a recipe, and the run that it becomes on one split with one seed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.alignment import Alignment
from dareps.balancing import Balancer
from dareps.balancing.equal import Equal
from dareps.data._base import Dataset, Protocol
from dareps.data.split import sides, varied
from dareps.encoders import Encoder
from dareps.encoders.identity import Identity
from dareps.encoders.stems import Stem
from dareps.guarding import Guard
from dareps.plugin import Item, Many, Settings, suggestion
from dareps.recipe.parting import (
    Refusal,
    refused_guard,
    refused_phases,
    refused_regularisers,
    refused_tasks,
    refused_without_source,
)
from dareps.recipe.phasing import refused_carrying, refused_label_shift, refused_outputs, refused_source_weights
from dareps.selection._base import Validator
from dareps.sharing import SharingScheme
from dareps.sharing.hard import Hard
from dareps.transfer import LinearSVM, LowRank, Phase, Pretrained, Train
from dareps.types import Meeting, Role, Task

Normalise = Literal["joint", "per_domain", "adabn", "domain_specific", "frozen"]


class Recipe(Settings):
    """A method: encoder, sharing, alignments, balancing, normalisation and phases.

    `encoder`, `normalise` and open settings of phases are taken from the dataset when they are None.
    """

    encoder: Encoder | None = None
    """The network that makes features; open means the dataset's own."""
    stem: Stem | None = None
    """What lets rows of one modality into an encoder of another, where domains differ in it; open means linear."""
    sharing: SharingScheme = Hard()
    """How parameters are shared between tasks and domains."""
    align: Many[Alignment] = ()
    """Losses between the features of domains, added to the task losses."""
    balance: Balancer = Equal()
    """How the losses of several tasks become one."""
    normalise: Normalise | None = None
    """Which rows normalisation layers take their statistics from; open means the dataset's own."""
    phases: Many[Phase] = (Train(),)
    """Stretches of training, run in order."""
    guard: Guard | None = None
    """What each task is compared with, to notice that sharing harms it; open means nothing."""
    adapters: LowRank | None = None
    """Low-rank adapters beside the encoder's layers, which phases train as `adapters`; open means none."""
    pretrained: Pretrained | None = None
    """A file of weights that training starts from; open means that all weights are drawn."""
    tasks: Many[str] = ()
    """Which of the dataset's tasks are learned, in this order; none named means all."""
    plugins: Many[str] = ()
    """Python files with parts of one's own, relative to the recipe's file."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Refuse combinations that cannot train what they declare."""
        if not self.phases:
            raise _impossible("phases", "a recipe needs at least one phase", "Add `- streams: {source: labelled}`.")
        trained = [phase for phase in self.phases if isinstance(phase, Train)]
        if len(trained) < len(self.phases) and (len(self.phases) > 1 or self.align):
            fix = "Use the linear_svm phase alone and without alignments."
            raise _impossible("phases", "linear_svm cannot be combined with other phases or alignments", fix)
        if self.shallow and self.encoder is not None and not isinstance(self.encoder, Identity):
            fix = "Leave it to the recipe, or write encoder: identity."
            raise _impossible("encoder", "linear_svm fits the inputs, so an encoder would stay untrained", fix)
        _unless(refused_without_source(self.phases, self.align), self)
        aligned = [phase for phase in trained if phase.acting(self.needs)]
        if self.align and not aligned:
            fix = "Give a phase both: `streams: {source: labelled, target: unlabelled}`."
            raise _impossible("align", "no phase reads source and target, so the alignments never act", fix)
        for index, phase in enumerate(trained):
            if max(phase.acting(self.needs), default=-1) >= len(self.align):
                fix = f"The recipe has {len(self.align)}, numbered from 0."
                raise _impossible(f"phases.{index}.align", "there is no alignment with this number", fix)
            if "labelled" not in (phase.streams.source, phase.streams.target) and phase not in aligned:
                fix = "Label a stream or let the alignments act."
                raise _impossible(f"phases.{index}", "the phase has no labels and no alignment to learn from", fix)
        found = refused_phases(self.phases, self.needs, self.sharing)
        found = found or refused_regularisers(self.phases, self.guard)
        return _unless(found or refused_guard(self.guard, self.sharing, self.balance, bool(self.align)), self)

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        """Refuse to take tasks in turn where the balancer weighs them against each other."""
        for index, phase in enumerate(self.phases):
            sampler = phase.sampling if isinstance(phase, Train) else None
            if self.balance.needs_all and sampler is not None and sampler.alternates:
                what = f"the balancer {self.balance.name} needs the losses of all tasks in every step"
                fix = "Leave sampling out, or balance with equal."
                raise _impossible(f"phases.{index}.sampling", what, fix)
        return self

    @property
    def needs(self) -> list[tuple[Role, ...]]:
        """Of which roles each alignment needs a stream."""
        return [part.needs() for part in self.align]

    @property
    def stacks(self) -> bool:
        """Whether seeds can train as one stack: nothing is fitted, and all seeds train alike for as long."""
        samplers = [phase.sampling for phase in self.phases if isinstance(phase, Train)]
        patient = any(phase.patience is not None for phase in self.phases if isinstance(phase, Train))
        if patient or (self.guard is not None and self.guard.demote):
            return False
        return not self.shallow and all(sampler is None or sampler.alike for sampler in samplers)

    @property
    def shallow(self) -> bool:
        """True when scikit-learn fits the recipe and the loop is not used."""
        return isinstance(self.phases[0], LinearSVM)


RULES = tuple(
    Validator.bind(name)
    for name in (
        *("last", "source_accuracy", "entropy", "information_maximisation", "dev"),
        *("reverse_validation", "domain_bound", "oracle"),
    )
)


class Conflict(Settings):
    """Series in the log that say how the tasks' gradients agree; what is trained does not change.

    `conflict.TASK` is <g_t, d>: g_t the gradient of the task's loss before a step, d the change of the parameters that
    the step then made, optimizer, clipping, alignments and penalties included. It is what the step adds to the task's
    loss to first order: above 0 the step hurts the task. One forward-mode product gives it for all tasks together.
    `norm.TASK` and `cosine.TASK.TASK` are the norms and cosines of the tasks' gradients.
    """

    every: int = Field(10, ge=1)
    """Steps from one look to the next."""
    along: Many[str] = ("encoder",)
    """Parts of the method whose change d is: `encoder`, `encoder.STAGE`, `heads`, or `*` for all. A task's own head
    goes its way, so that it would hide what the others do to what is shared."""
    pairs: Meeting | None = "features"
    """Where norms and cosines are taken: by the features that heads read, by the parameters that all tasks share (a
    pass back for each task), or nowhere."""


class Engine(Settings):
    """How a run is carried out; `precision` and `evaluations` change results, the rest does not."""

    precision: Literal["float32", "float64", "bf16"] = "float32"
    """Floating type of parameters; bf16 is autocast over float32."""
    evaluations: int = Field(10, ge=1)
    """Checkpoints that selection rules choose from, evenly spaced over each run, the last step among them."""
    validation_rows: int = Field(1000, ge=1)
    """At most this many rows of a domain's validation part are seen by selection rules."""
    selection: Many[Validator] = RULES
    """Rules that choose a checkpoint, all from one shared pass over validation rows."""
    keep: str = "information_maximisation"
    """The rule whose checkpoint is saved as the run's model."""
    flush: int = Field(50, ge=1)
    """Steps between two copies of the losses to the host."""
    rows: Literal["device", "loader"] = "device"
    """Where training rows live: on the device, gathered by index, or on the host, fetched ahead by a loader."""
    loaders: int = Field(0, ge=0)
    """Processes that fetch rows ahead when rows come from a loader; 0 fetches in the training process."""
    predictions: bool = True
    """Keep what each run says about the target test rows, for its seeds to vote with."""
    checkpoint_seconds: float = Field(20.0, ge=0)
    """Least time between two checkpoints on disk."""
    capture: Literal["auto", "on", "off"] = "auto"
    """Replay training steps as CUDA graphs; `auto` where that is possible."""
    stack: bool | None = None
    """Train the seeds of a suite as one stack; None means on CUDA only."""
    conflict: Conflict | None = None
    """Log how the tasks' gradients agree; None for not at all."""

    @model_validator(mode="after")
    def _keeps_a_rule(self) -> Self:
        names = [type(rule).name for rule in self.selection]
        if self.keep not in names:
            raise _impossible("keep", f"no selected rule is called {self.keep!r}", suggestion(self.keep, names))
        return self


class Run(Settings):
    """A recipe on one split with one seed, fully bound."""

    recipe: str
    """What tables call the recipe."""
    method: Recipe
    """The recipe itself."""
    data: Dataset
    """The dataset and how its rows become network input."""
    source: Many[str]
    """Domains with labels."""
    target: Many[str]
    """Domains to adapt to."""
    protocol: Protocol = "inductive"
    """Which rows train and which test: `inductive` holds target rows out, `paper` is as published, `supervised` has no
    target and holds rows of the same domains out."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Of initialisation, noise, order of rows and split."""
    engine: Engine = Engine()
    """How the run is carried out."""
    labelled: int | None = Field(None, ge=0)
    """Target rows of each class whose labels may be read in training; None for all."""
    held: int = Field(0, ge=0)
    """Target validation rows of each class whose labels rules of selection may read."""
    told: str = ""
    """Settings of the data that tables tell behind the dataset's name, as `shift=0.3`."""

    @model_validator(mode="after")
    def _domains_exist(self) -> Self:
        supervised = self.protocol == "supervised"
        if not self.source or supervised == bool(self.target) or set(self.source) & set(self.target):
            fix = "Write DATA/DOMAIN for `supervised`." if supervised else "Choose two of the dataset's."
            what = "a supervised run has no target" if supervised else "source and target need different domains"
            raise _impossible("source", what, fix)
        reading = [phase for phase in self.method.phases if isinstance(phase, Train) and phase.streams.target]
        if supervised and reading:
            fix = "Use a recipe without target streams, such as source_only, or a split DATA/SOURCE:TARGET."
            raise _impossible("phases", "a phase reads target rows, but the split has no target", fix)
        return self

    @model_validator(mode="after")
    def _tasks_exist(self) -> Self:
        known, wanted = [task.name for task in type(self.data).tasks], self.method.tasks
        for name in wanted:
            if name not in known:
                raise _impossible("tasks", f"the dataset has no task {name!r}", suggestion(name, known))
            if wanted.count(name) > 1:
                raise _impossible("tasks", f"{name!r} is named twice", "Name each task once.")
        found = refused_tasks(self.method.phases, self.method.guard, [task.name for task in self.tasks])
        phases, method = self.method.phases, self.method
        found = found or refused_carrying(phases, method.balance, self.tasks, self.labelled)
        found = found or refused_label_shift(phases, self.tasks, self.target)
        found = found or refused_source_weights(phases, self.source, self.target)
        return _unless(found or refused_outputs(method.align, self.tasks), self)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is predicted: the tasks that the recipe names, or all of the dataset's."""
        known = {task.name: task for task in type(self.data).tasks}
        return tuple(known[name] for name in self.method.tasks or known)

    @property
    def dataset(self) -> str:
        """The dataset's name in tables, with the settings that the split tells."""
        return varied(type(self.data).name, self.told)

    @property
    def split(self) -> str:
        """`source:target` with several domains joined by `+` and declared labels; `source` alone without a target."""
        return sides(self.source, self.target, self.labelled, self.held)


RECIPE_KEYS = tuple(Recipe.model_fields)


def _unless(refusal: Refusal | None, settings: Item) -> Item:
    """The settings, unless there is something to refuse."""
    if refusal is not None:
        raise _impossible(*refusal)
    return settings


def _impossible(key: str, what: str, fix: str) -> PydanticCustomError:
    return PydanticCustomError("impossible", "{key}: {what}. {fix}", {"key": key, "what": what, "fix": fix})
