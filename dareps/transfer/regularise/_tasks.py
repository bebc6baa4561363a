"""Tasks that a regulariser needs classes of."""

from __future__ import annotations

from collections.abc import Sequence

from dareps.errors import ConfigError
from dareps.plugin import suggestion
from dareps.types import Task


def of_classes(where: str, wanted: Sequence[str], tasks: Sequence[Task]) -> tuple[str, ...]:
    """The wanted tasks, which have to be some, exist and have classes.

    Raises:
        ConfigError: They do not.
    """
    known = {task.name: task for task in tasks}
    for name in wanted:
        if name not in known:
            raise ConfigError(where, "there is no such task", name, suggestion(name, known))
        if known[name].kind != "classification":
            fix = "Name tasks of classes."
            raise ConfigError(where, f"the task is one of {known[name].kind} and has no classes", name, fix)
    if not wanted:
        raise ConfigError(where, "no task has classes", sorted(known), "Leave the regulariser out.")
    return tuple(wanted)
