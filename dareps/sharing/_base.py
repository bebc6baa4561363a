"""The sharing family: which parameters tasks or domains have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from dareps.errors import ConfigError, ContractError
from dareps.plugin import Plugin, suggestion
from dareps.schedules import Schedule
from dareps.types import Along, Task

if TYPE_CHECKING:
    from dareps.maths.staged import Staged
    from dareps.sharing._modules import SharingModule

    MakeEncoder = Callable[[], Staged]

Limit = Literal["hard", "separate"]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a scheme is built from.

    Attributes:
        make_encoder: Gives a fresh encoder each call.
        shape: Shape of one input.
        tasks: What is predicted.
        domains: All domains, sources first, in the order in which normalisation layers count them.
    """

    make_encoder: MakeEncoder
    shape: tuple[int, ...]
    tasks: tuple[Task, ...]
    domains: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return tuple(task.name for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Term:
    """A penalty of a scheme that joins the objective as `sharing.NAME`: its weight and schedule."""

    name: str
    weight: float
    schedule: Schedule


class SharingScheme(Plugin, family="sharing"):
    """Maps groups of rows and the tasks wanted from them to one representation per (group, task).

    Heads belong to tasks. What may be private are branches: an encoder, or a part of one, per task or per domain.

    Attributes:
        directions: What its branches can be; where it has none, it does not mind.
        divisible: Whether a task can go on by itself with a copy of what it shares: not where it reads others' outputs.
    """

    directions: ClassVar[tuple[Along, ...]] = ("tasks", "domains")
    divisible: ClassVar[bool] = True

    @property
    def isolated(self) -> bool:
        """True when a branch's private parameters cannot move in a step in which the branch is absent."""
        return False

    def terms(self) -> tuple[Term, ...]:
        """The penalties that the built module returns, those of weight 0 left out."""
        return ()

    def proximal(self) -> Term | None:
        """A pull on the weights themselves after each step, in place of a penalty: its weight and schedule."""
        return None

    def limits(self) -> Mapping[Limit, Self]:
        """Settings at which the scheme is exactly `hard` sharing, or gives every branch a `separate` encoder."""
        return {}

    def build(self, blueprint: Blueprint) -> SharingModule:
        """The module that holds the encoders."""
        raise ContractError(f"sharing {type(self).name}", "it has no build()", fix="Define build(blueprint).")


class BranchedScheme(SharingScheme, abstract=True):
    """A scheme that keeps something private for each of several branches."""

    along: Along | None = None
    """What branches are: `tasks` or `domains`; open means tasks where there are several, else domains."""

    def branches(self, blueprint: Blueprint) -> tuple[Along, tuple[str, ...]]:
        """What branches are, and their names.

        Raises:
            ConfigError: There is one branch only.
        """
        several = len(blueprint.tasks) > 1 or len(self.directions) == 1
        along = self.along or ("tasks" if several else "domains")
        names = blueprint.names if along == "tasks" else blueprint.domains
        if len(names) < 2:
            others = [f"set sharing.along={other}" for other in self.directions if other != along]
            fix = " or ".join([*others, "use sharing: hard"]).capitalize()
            what = f"there is one branch only along {along}"
            raise ConfigError(f"sharing {type(self).name}", what, names, f"{fix}.")
        return along, names


def check_tasks(where: str, wanted: Iterable[str], names: Sequence[str]) -> None:
    """Refuse names of tasks that do not exist.

    Raises:
        ConfigError: Names the first of them.
    """
    for task in wanted:
        if task not in names:
            raise ConfigError(where, "there is no such task", task, suggestion(task, names))
