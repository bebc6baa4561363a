"""Suites: recipes x splits x seeds, from YAML to bound runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from dareps.data._base import Dataset
from dareps.errors import ConfigError
from dareps.plugin import Many, Settings, config_error, find
from dareps.recipe.bind import bind_run, find_config, load_plugins
from dareps.recipe.settings import Run
from dareps.recipe.yaml_io import read

EVERY_PAIR = "*:*"


class Entry(Settings):
    """One line of a suite's table: a recipe, under a name of its own where its settings differ."""

    name: str
    recipe: str = ""
    set: dict[str, Any] = Field(default_factory=dict)

    @property
    def source(self) -> str:
        """The recipe's name or file."""
        return self.recipe or self.name


class Suite(Settings):
    """Recipes x splits x seeds, with what all of them share."""

    splits: Many[str]
    recipes: Many[str | Entry]
    seeds: int = Field(3, ge=1)
    budget: float = Field(60.0, gt=0)
    """Minutes that the suite is meant to take on two cores."""
    headline: str = "information_maximisation"
    set: dict[str, Any] = Field(default_factory=dict)
    """Overrides for every recipe: `key.path: value`."""
    plugins: Many[str] = ()
    full: dict[str, Any] = Field(default_factory=dict)
    """What replaces the keys above under `--full`."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        for key in ("splits", "recipes"):
            if not getattr(self, key):
                context = {"key": key, "fix": f"Name {key} to compare."}
                raise PydanticCustomError("empty", "{key}: nothing is listed. {fix}", context)
        return self

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The recipes as entries."""
        return tuple(Entry(name=item) if isinstance(item, str) else item for item in self.recipes)


def read_suite(name: str, full: bool = False) -> tuple[str, Suite]:
    """The title and the bound settings of a shipped suite or of a user's own file.

    Raises:
        ConfigError: There is no such suite, or it cannot be used as written.
    """
    path = find_config("suites", name)
    settings = read(path)
    changes = settings.get("full")
    if full and isinstance(changes, Mapping):
        settings = {**settings, **changes}
    settings["plugins"] = load_plugins(settings.get("plugins", []), path.parent)
    try:
        return path.stem, Suite.model_validate(settings)
    except ValidationError as error:
        raise config_error(error, f"suite {path.stem}") from None


def expand(
    suite: Suite,
    seeds: int | None = None,
    recipes: Sequence[str] = (),
    splits: Sequence[str] = (),
    overrides: Sequence[tuple[str, Any]] = (),
    plugins: Sequence[str] = (),
) -> list[Run]:
    """All runs of a suite, seeds innermost.

    Args:
        suite: The suite.
        seeds: Number of seeds instead of the suite's.
        recipes: Names to keep, or further recipes to add; all of the suite's when empty.
        splits: Splits instead of the suite's.
        overrides: On top of the suite's own.
        plugins: Plug-in files beyond those of the suite.
    """
    known = {entry.name: entry for entry in suite.entries}
    wanted = [known.get(name, Entry(name=Path(name).stem, recipe=name)) for name in recipes] or list(known.values())
    found = [split for text in (splits or suite.splits) for split in pairs(text)]
    shared = [*suite.set.items()]
    files = [*suite.plugins, *plugins]
    return [
        bind_run(entry.source, split, seed, [*shared, *entry.set.items(), *overrides], label=entry.name, plugins=files)
        for split, entry in itertools.product(dict.fromkeys(found), wanted)
        for seed in range(seeds or suite.seeds)
    ]


def pairs(text: str) -> list[str]:
    """A split, or for `DATA/*:*` all ordered pairs of the dataset's domains."""
    name, slash, domains = text.partition("/")
    if domains != EVERY_PAIR:
        return [text]
    try:
        dataset = find(Dataset, name)
    except PydanticCustomError as error:
        fix = str((error.context or {}).get("fix", ""))
        raise ConfigError("split", "no dataset has this name", name, fix) from None
    return [f"{name}{slash}{source}:{target}" for source, target in itertools.permutations(dataset.domains, 2)]
