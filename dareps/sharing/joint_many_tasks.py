"""Joint many-task model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from dareps.errors import ConfigError
from dareps.schedules import Constant, Schedule
from dareps.sharing._base import Blueprint, BranchedScheme, Limit, Term, check_tasks
from dareps.types import Along

if TYPE_CHECKING:
    from dareps.sharing._modules import SharingModule


class JointManyTasks(BranchedScheme):
    """One chain of stages on which each task builds on the features and predictions of the tasks below it (JMT).

    With tasks k = 1..T from low to high, task k reads

        h_k = F_k(h_{k-1} + B_k [y_1; ...; y_{k-1}; x]),    y_j = L_j p_j,

    where F_k are the stages between what task k-1 and task k read (none where both read the same), p_j task j's
    prediction by its own head (probabilities of classes or labels, standardised numbers), L_j its label embeddings, so
    that y_j = sum over c of p_j(c) l_j(c), and x the input, the paper's shortcut. A linear map of what is concatenated
    there is a sum of linear maps, so B_k is added to the features instead and no encoder has to change: per channel,
    the same at all places. Of images, x is averaged over the places of what it joins, or over at most 8 x 8 where that
    is flat. B_k starts at 0. Higher tasks teach lower ones through features and predictions alike. With `labels: 0`, no
    shortcut and both deltas at 0 this is `hierarchical`.

    `sharing.successive` and `sharing.successive_heads`: sum over the step's tasks k of |theta_{k-1} - theta'_{k-1}|^2
    over all that task k-1 reads (stages, bridges, label embeddings), and over the heads of the tasks below k. In the
    paper tasks are trained in turns of one pass each, and theta' are the weights at the end of the turn before. Here
    tasks are drawn step by step, so a turn is `every` steps: theta' are the weights after the last step whose number is
    a multiple of it. Where tasks alternate in turns of that many steps, this is the paper's rule; where they alternate
    at every step or come together, it keeps a higher task from carrying lower ones away within a turn. The paper's term
    of the first task, on word embeddings, has no counterpart: nothing lies below the first task's stages.

    Hashimoto et al., EMNLP 2017, section 2: label embeddings in 2.3, losses in eq. 6 to 10; deltas as there (0.001, and
    0.01 for classifiers). rows (n, *shape) -> (n, d_k), flattened, for heads and alignments alike.

    Raises:
        ConfigError: There is one task only; branches along domains are asked for; a task or a stage does not exist; or
            inputs cannot be brought to the shape of a stage: the error names the stage and both shapes.
    """

    directions: ClassVar[tuple[Along, ...]] = ("tasks",)
    divisible: ClassVar[bool] = False
    reads: dict[str, str] | Literal["in_order"] = "in_order"
    """The stage that a task reads, as in {colour: conv1}, the last one for tasks left out; or the tasks spread over the
    stages with parameters. Tasks run from low to high, those of one stage in the data's order."""
    labels: int = Field(16, ge=0)
    """Width of label embeddings; 0 for none, so that no task hears of predictions."""
    shortcut: bool = True
    """Whether tasks above the first see the input."""
    delta: float = Field(0.001, ge=0)
    """Weight of the successive regularisation of stages, bridges and label embeddings."""
    delta_heads: float = Field(0.01, ge=0)
    """The same of lower tasks' heads."""
    every: int = Field(100, gt=0)
    """Steps of a turn."""
    schedule: Schedule = Constant()
    """Factor on both deltas as a function of progress."""

    @property
    def isolated(self) -> bool:
        """What only the highest task reads does not run without it, and no penalty reaches it."""
        return True

    def terms(self) -> tuple[Term, ...]:
        """The successive regularisation, where its weights are above 0."""
        weights = {"successive": self.delta, "successive_heads": self.delta_heads}
        return tuple(Term(name, weight, self.schedule) for name, weight in weights.items() if weight > 0)

    def limits(self) -> Mapping[Limit, Self]:
        """Every task at the last stage, hearing nothing of the others."""
        nothing = {"reads": {}, "labels": 0, "shortcut": False, "delta": 0.0, "delta_heads": 0.0}
        return {"hard": self.model_copy(update=nothing)}

    def branches(self, blueprint: Blueprint) -> tuple[Along, tuple[str, ...]]:
        """The tasks.

        Raises:
            ConfigError: There is one only, or domains are asked for.
        """
        if self.along == "domains":
            what = "joint_many_tasks builds a task on what others predict, and domains predict nothing"
            raise ConfigError("sharing.along", what, self.along, "Leave along out, or use sharing: hierarchical.")
        return super().branches(blueprint)

    def build(self, blueprint: Blueprint) -> SharingModule:
        """One encoder, and what tasks hear of each other."""
        from dareps.sharing._joint_many_tasks import Hearing, ManyTasks, RegularisedManyTasks

        along, names = self.branches(blueprint)
        check_tasks("sharing.reads", () if self.reads == "in_order" else self.reads, names)
        hearing = Hearing(self.reads, self.labels, self.shortcut)
        wanted = tuple(term.name for term in self.terms())
        if wanted:
            return RegularisedManyTasks(wanted, self.every, hearing, blueprint, along, names)
        return ManyTasks(hearing, blueprint, along, names)
