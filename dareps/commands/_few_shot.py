"""`dareps adapt --few-shot N`: which of the target's labels train and which choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dareps.errors import ConfigError

if TYPE_CHECKING:
    from dareps.data.own.dataset import OwnFiles

RULE: Final = "target_score"
"""Chooses where labels are held out for it."""
ENOUGH: Final = 4
"""Labels of a class from which on a quarter of them chooses recipe and checkpoint instead of training."""


def held(few: int | None) -> int:
    """How many of the labels of a class choose and do not train."""
    return few // ENOUGH if few is not None else 0


def chosen_by(few: int | None) -> str:
    """What recipe and checkpoint are chosen by, in words."""
    from dareps.report._format import counted

    if few is None:
        return "without target labels"
    count = held(few)
    return f"by {counted(count, 'target label')} of each class" if count else "by a rule that reads no target labels"


def need_labels(few: int, dataset: type[OwnFiles]) -> None:
    """Refuse few shots of a target without labels.

    Raises:
        ConfigError: No target row has one.
    """
    from dareps.tasks import kind_of

    target = dataset.domains[-1]
    found = dataset().rows(target).y
    if not any(kind_of(task).known(found[task.name]).any() for task in dataset.tasks if task.name in found):
        names = ", ".join(task.name for task in dataset.tasks)
        fix = f"Give labels ({names}) in its file, or leave --few-shot out."
        raise ConfigError("--few-shot", f"no row of the target ({target}) has a label", few, fix)
