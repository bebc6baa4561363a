"""The words of the framework as types: tasks, rows, batches, representations, losses.

Shape legend, used in every docstring: `S` seeds, `n` rows (`n`, `m` where two streams differ), `d` features,
`c` classes. Plug-ins are written without `S`; the engine adds it by mapping over stacked copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

Role = Literal["source", "target"]
Kind = Literal["classification", "regression", "multilabel"]
Meeting = Literal["features", "parameters"]
"""Where the gradients of tasks meet: on the features that heads read, or on the parameters that tasks share."""
Along = Literal["tasks", "domains"]
"""What the branches of a sharing scheme are."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is predicted: its name, kind, number of outputs and, for classes, what they are called."""

    name: str
    kind: Kind
    size: int
    classes: tuple[str, ...] = ()


def lead_task(tasks: Sequence[Task]) -> Task:
    """The task whose outputs alignments and selection rules read as classes: the first of that kind, else the first."""
    return next((task for task in tasks if task.kind == "classification"), tasks[0])


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Rows of one domain whose labels the step cannot see: `x` is (n, *shape)."""

    domain: str
    role: Role
    x: Tensor


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows of one domain with labels: `x` is (n, *shape), `y[task]` is (n,) or (n, size).

    Attributes:
        y: Labels by task, only of tasks that some row of the stream has one of. Missing ones are -1 for classes and NaN
            for numbers; regression targets are standardised.
        complete: Tasks of which no row lacks a label, so that nobody has to look for missing ones.
        weights: Factor (n,) of each row's loss, by task; tasks that are not in it count every row once.
    """

    domain: str
    role: Role
    x: Tensor
    y: Mapping[str, Tensor]
    complete: frozenset[str] = frozenset()
    weights: Mapping[str, Tensor] = field(default_factory=dict)


Rows = Labelled | Unlabelled


@dataclass(frozen=True, slots=True)
class Batch:
    """One training step's rows, a tensor group per stream.

    `joined` holds the rows of all streams in order, of which each stream's `x` is a view, so that a shared
    encoder reads one tensor without copying.

    Attributes:
        plain: The same rows before augmentation; None where nothing was augmented.
        augment: The data's augmentation as (rows (n, *shape), role, noise, place) -> rows; None for none.
    """

    streams: tuple[Rows, ...]
    joined: Tensor
    plain: Tensor | None = None
    augment: Augment | None = None


class NoiseSource(Protocol):
    """Keyed noise: a pure function of (seed, step, place)."""

    def uniform(self, place: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform on [0, 1), shape as asked, on the step's device."""

    def normal(self, place: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal, shape as asked, on the step's device."""

    def keep(self, place: str, shape: tuple[int, ...], probability: float) -> Tensor:
        """1 with the given probability, else 0."""


Augment = Callable[["Tensor", Role, NoiseSource, str], "Tensor"]
"""Rows (n, *shape) of a stream's role changed at random: (rows, role, noise, place) -> rows."""


@dataclass(frozen=True, slots=True)
class SubStep:
    """One optimizer step on the batch.

    The default one is the ordinary step: all task losses and all alignments, training everything. Others belong to the
    alignment that asked for them, whose loss alone they compute, or train nothing and look at the task losses.

    Attributes:
        name: What the alignment knows it by.
        trains: Parts that move: `encoder`, `heads`, `align` (the alignment's own parameters), or `*`; none for a look.
        repeat: How often it is taken.
        tasks: Whether the task losses are added.
        owner: Index of the alignment; None for the ordinary step.
    """

    name: str = "all"
    trains: tuple[str, ...] = ("*",)
    repeat: int = 1
    tasks: bool = True
    owner: int | None = None


ORDINARY: Final = SubStep()
LOOK: Final = SubStep("look", trains=())
"""The task losses alone, on the step's rows and under its noise; nothing moves."""
AGAIN: Final = SubStep("again", trains=())
"""A look after the ordinary step, which the balancer follows up."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where training stands: `progress` in the phase and `total_progress` in the run, 0-d tensors from 0 to 1.

    `strengths` holds weight times schedule of every alignment at this progress, (k,), where the loop has computed them
    for many steps at once; None leaves that to the method. `model` is there for alignments that declare `forwards`.
    `tasks` names the tasks that the step trains; None means all. `pairs` says where the tasks' gradients are compared
    for the log; None for nowhere.
    """

    progress: Tensor
    total_progress: Tensor
    noise: NoiseSource
    strengths: Tensor | None = None
    sub: SubStep = ORDINARY
    model: Model | None = None
    tasks: tuple[str, ...] | None = None
    pairs: Meeting | None = None


@dataclass(frozen=True, slots=True)
class Representation:
    """What a sharing scheme makes of one group of rows for one branch.

    Attributes:
        task: (n, d) what heads read.
        shared: (n, d) what alignments and task adversaries see.
        private: (n, p) or None.
        taps: Output of each encoder stage by name.
    """

    task: Tensor
    shared: Tensor
    private: Tensor | None = None
    taps: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """What alignments see of one stream.

    Attributes:
        shared: Features (n, d).
        logits: Outputs of the first task of classes, else of the first task, (n, c); None unless an alignment reads
            them or the stream is labelled.
        labels: (n,) for labelled source streams, else None.
        x: The inputs (n, *shape) behind the features; None unless an alignment declares `forwards`.
        plain: The same before augmentation, likewise.
        weight: Share of a source among all, 0-d; None where all count the same.
        kind: What the outputs are of.
    """

    domain: str
    role: Role
    shared: Tensor
    logits: Tensor | None = None
    labels: Tensor | None = None
    x: Tensor | None = None
    plain: Tensor | None = None
    weight: Tensor | None = None
    kind: Kind = "classification"


class Model(Protocol):
    """The method on rows that an alignment makes during a step: differentiable, and no buffer of the method moves."""

    def __call__(self, views: Sequence[View], place: str = "", networks: nn.Module | None = None) -> list[View]:
        """The views with `shared` and `logits` computed from their `x`, all in one pass.

        Args:
            views: Rows of the step's streams, some or all; they meet in normalisation layers as the streams do.
            place: Names the pass; passes of one name see the same noise.
            networks: Encoder and heads to use; None for those that are being trained.
        """

    def augmented(self, view: View, place: str, rounds: int = 1, mask: float = 0.0) -> Tensor:
        """The stream's `plain` rows under `rounds` further draws of the data's augmentation, one upon the other.

        Of the result, each input is set to 0 with probability `mask`.
        """

    def normal(self, view: View, place: str) -> Tensor:
        """Standard normal noise for each of the stream's inputs, of the shape and dtype of `x`."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Task losses, and every other term with the factor it already carries; all values are 0-d.

    Attributes:
        tasks: Mean loss per task; what a balancer sees.
        terms: Alignments and penalties as they enter the total.
        values: The same terms unweighted, for the log.
        gram: Inner products (k, k) of the tasks' gradients, where the balancer reads them.
    """

    tasks: Mapping[str, Tensor]
    terms: Mapping[str, Tensor]
    values: Mapping[str, Tensor]
    gram: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Shapes:
    """What a plug-in with parameters needs to know to build itself."""

    features: int
    classes: int
    sources: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains, sources first."""
        return self.sources + self.targets


@dataclass(frozen=True, slots=True)
class Interval:
    """Closed interval of values that a loss declares itself for."""

    low: float
    high: float
