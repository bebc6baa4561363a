"""The eight routes: the same task or another, the same domain or another, one after the other or at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from dareps.errors import ConfigError
from dareps.plugin import suggestion

Answer = Literal["same", "different"]
Order = Literal["sequential", "simultaneous"]


@dataclass(frozen=True, slots=True)
class Route:
    """A way for knowledge to go from one dataset, or one part of it, to another.

    Attributes:
        name: Also the name of the shipped recipe.
        task: Whether both sides answer the same question.
        domain: Whether the rows of both sides come from one distribution.
        order: Whether one side is learned after the other, or both at once.
        kind: Inductive (labels of the target are read) or transductive (its inputs alone).
        tasks: Which task is the source task and which the target task.
        shared: What both sides have in common.
        split: Embedded data that the recipe runs on.
        changes: Overrides that name this data's tasks.
        aimed: Overrides with which the recipe reads labels of a target, on splits that have one.
    """

    name: str
    task: Answer
    domain: Answer
    order: Order
    kind: str
    tasks: str
    shared: str
    split: str
    changes: tuple[str, ...] = ()
    aimed: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, str, str]:
        """What it is, in three lines."""
        return self.kind, self.tasks, self.shared


_THEN: Final = ("phases.1.streams={target: labelled}",)
_TOGETHER: Final = ("phases.0.streams={source: labelled, target: labelled}",)

ROUTES: Final = (
    Route(
        "task_fine_tuning",
        *("same", "same", "sequential"),
        "Inductive: labels of the target train the second phase; they may be finer than those of the source.",
        "The source task is the question as first learned, the target task the same question asked again.",
        "Shared is the whole encoder, handed over and changed a little, the lower stages least; the head is new.",
        "varieties/stall",
        ("tasks=[fruit,variety]", "phases.0.tasks=[fruit]", "phases.1.tasks=[variety]"),
        _THEN,
    ),
    Route(
        "domain_adaptation",
        *("same", "different", "sequential"),
        "Transductive: of the target the inputs are seen in training, and no label.",
        "The source task and the target task are one question; what differs is where rows come from.",
        "Shared are encoder and head: what source labels have taught is then made to serve both domains.",
        "digits8/fonts:scans",
    ),
    Route(
        "task_adaptation",
        *("different", "same", "sequential"),
        "Inductive: labels of the target task train the second phase.",
        "The source task is what the first phase learns, the target task another question about the same kind of rows.",
        "Shared is the encoder, handed over; the target task has a head of its own.",
        "attributes/fruit",
        ("phases.0.tasks=[kind]", "phases.1.tasks=[colour]"),
        _THEN,
    ),
    Route(
        "modality_transfer",
        *("different", "different", "sequential"),
        "Inductive: labels of the target train the second phase.",
        "The source task is learned on the source's rows, the target task on rows of another kind.",
        "Shared are the stages above the input, handed over; where inputs differ in form a stem takes them in.",
        "strokes/images:paths",
    ),
    Route(
        "dataset_merging",
        *("same", "same", "simultaneous"),
        "Inductive: every dataset brings labels, and the rows of all are one training set.",
        "There is one question, and each dataset is source and target at once.",
        "Shared is all: encoder, head and normalisation.",
        "varieties/stall+stall2",
        ("tasks=[fruit]",),
        _TOGETHER,
    ),
    Route(
        "weight_sharing",
        *("same", "different", "simultaneous"),
        "Inductive: every domain brings labels of the one question.",
        "There is one question, and in joint learning each domain is source and target at once.",
        "Shared are the weights of encoder and head; each domain has normalisation of its own.",
        "digits8/fonts+scans",
        aimed=_TOGETHER,
    ),
    Route(
        "multi_task_learning",
        *("different", "same", "simultaneous"),
        "Inductive: every task brings labels, on the same rows or on others like them.",
        "In joint learning each task is source task and target task at once.",
        "Shared is the encoder; each task has a head of its own.",
        "attributes/fruit",
        aimed=_TOGETHER,
    ),
    Route(
        "parallel_training",
        *("different", "different", "simultaneous"),
        "Inductive: every domain brings labels of its own questions.",
        "In joint learning each task is source task and target task at once, though no row is asked both.",
        "Shared are the weights of the stages; each domain has normalisation of its own, and each task a head.",
        "attributes/fruit+solids",
        aimed=_TOGETHER,
    ),
)


def route_named(name: str) -> Route:
    """The route of this name.

    Raises:
        ConfigError: There is none.
    """
    for route in ROUTES:
        if route.name == name:
            return route
    raise ConfigError("route", "no route has this name", name, suggestion(name, [route.name for route in ROUTES]))


def route_of(task: str, domain: str, order: str) -> Route:
    """The route of three answers.

    Raises:
        ConfigError: One of them is not an answer.
    """
    asked = (("task", task, get_args(Answer)), ("domain", domain, get_args(Answer)), ("order", order, get_args(Order)))
    for option, given, known in asked:
        if given not in known:
            raise ConfigError(f"--{option}", f"expected {' or '.join(known)}", given, suggestion(given, known))
    return next(route for route in ROUTES if (route.task, route.domain, route.order) == (task, domain, order))


def fitting(task: Answer, domain: Answer) -> tuple[Route, Route]:
    """The sequential and the simultaneous route of a relation between source and target."""
    return route_of(task, domain, "sequential"), route_of(task, domain, "simultaneous")


def command(route: Route, split: str, changes: Sequence[str] = ()) -> str:
    """The command line that runs a route's recipe on a split."""
    return training(route.name, split, [*(route.aimed if ":" in split else ()), *changes])


def training(recipe: str, split: str, changes: Sequence[str]) -> str:
    """The command line that trains a recipe on a split."""
    import shlex

    return shlex.join(["dareps", "train", recipe, "--split", split, *changes])
