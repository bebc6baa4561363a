"""Which splits and recipes a short form stands for, and which runs stand for one where tasks or domains are apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

from pydantic_core import PydanticCustomError

from dareps.data._base import Dataset
from dareps.data.split import parse_split, plain
from dareps.errors import ConfigError
from dareps.plugin import find, plugins
from dareps.recipe.bind import read_recipe, shipped
from dareps.suite._results import TARGET_ONLY
from dareps.transfer.routes import ROUTES

Apart = Literal["tasks", "domains"]
Change = tuple[str, Any]
EVERY_PAIR, EVERY_DOMAIN = "*:*", "*"


def parts_of(apart: Apart, split: str, tasks: Sequence[str], where: str) -> list[tuple[str, list[Change]]]:
    """The splits and overrides of the runs that stand for one run on a split, each on a task or domain of its own.

    Args:
        apart: What each run is on.
        split: The split of the one run.
        tasks: Its tasks; all of the dataset's when empty.
        where: What an error names.

    Raises:
        ConfigError: Domains cannot be apart, for there is a target, or their figures would not add up.
    """
    parsed = parse_split(split)
    known = {task.name: task for task in plugins(Dataset)[parsed.dataset_name].tasks}
    names = list(tasks) or list(known)
    if apart == "tasks":
        return [(split, [("tasks", [task])]) for task in names]
    if parsed.targets:
        fix = "Use a split without a target, such as DATA/+, or apart: tasks."
        raise ConfigError(where, "domains are apart only without a target", split, fix)
    if any(known[name].kind == "multilabel" for name in names if name in known):
        what = "figures of label sets on all domains together come from one model only"
        raise ConfigError(where, what, split, "Use apart: tasks.")
    return [(f"{parsed.data}/{domain}", []) for domain in parsed.sources]


def pairs(text: str) -> list[str]:
    """A split, or for `DATA/*:*` all ordered pairs of the dataset's domains, for `DATA/*` each of them."""
    name, slash, domains = text.partition("/")
    if domains not in (EVERY_PAIR, EVERY_DOMAIN):
        return [text]
    try:
        dataset = find(Dataset, plain(name))
    except PydanticCustomError as error:
        fix = str((error.context or {}).get("fix", ""))
        raise ConfigError("split", "no dataset has this name", name, fix) from None
    if domains == EVERY_DOMAIN:
        return [f"{name}{slash}{domain}" for domain in dataset.domains]
    return [f"{name}{slash}{source}:{target}" for source, target in itertools.permutations(dataset.domains, 2)]


def adapting() -> list[str]:
    """The shipped recipes that `all` stands for: those that read no target label and are no route's, and the bounds."""
    routes = {route.name for route in ROUTES}
    return [name for name in shipped("recipes") if name == TARGET_ONLY or not (name in routes or _reads_labels(name))]


def _reads_labels(recipe: str) -> bool:
    """Whether a phase of a shipped recipe reads target labels."""
    return any(phase.get("streams", {}).get("target") == "labelled" for phase in read_recipe(recipe)["phases"])
