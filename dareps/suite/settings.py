"""Settings of suites: what is compared with what, on which splits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dareps.plugin import Many, Settings, suggestion
from dareps.suite.parts import Apart, adapting
from dareps.transfer.advice import RECIPES

EVERY = "all"
RENAME = "Give each a name of its own: {name: mine, recipe: dan, set: {...}}."


class Entry(Settings):
    """One line of a suite's table: a recipe, under a name of its own where its settings differ."""

    name: str
    """What tables and files call it."""
    recipe: str = ""
    """The recipe's name or file; the same as `name` when empty."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Overrides for this recipe: `key.path: value`."""
    apart: Apart | None = None
    """Train a model for each task, or for each domain of a split without a target, instead of one for all."""
    splits: Many[str] = ()
    """Those of the suite's splits that it is run on; none named means all."""

    @property
    def source(self) -> str:
        """The recipe's name or file."""
        return self.recipe or self.name


class Suite(Settings):
    """Recipes x splits x seeds, with what all of them share."""

    splits: Many[str]
    """`DATA/SOURCE:TARGET`, all ordered pairs of domains for `DATA/*:*`; `DATA/DOMAIN`, each domain for `DATA/*`, all
    domains together for `DATA/+`."""
    recipes: Many[str | Entry]
    """Recipes' names or files, or mappings of `name`, `recipe`, `set` and `apart`; `all` means every shipped recipe
    that adapts without target labels, and the bounds."""
    baseline: str = ""
    """The entry that others are compared with, or several, separated by commas, of which each table takes the first it
    has; when empty, the first that trains apart."""
    without: Many[str] = ()
    """Shipped recipes that `all` leaves out, because they do not fit the data."""
    seeds: int = Field(3, ge=1)
    """Seeds 0 to N-1."""
    budget: float = Field(60.0, gt=0)
    """Minutes that the suite is meant to take on two cores."""
    headline: str = "information_maximisation"
    """The label-free rule whose checkpoints make the headline figures."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Overrides for every recipe: `key.path: value`."""
    plugins: Many[str] = ()
    """Python files with parts of one's own, relative to the suite's file."""
    advice: bool = False
    """Hold what `dareps route --advise` says of each split against the entries that are called as its strategies are:
    `extract`, `extract_low`, `fine_tune_top` and `fine_tune_all`."""
    full: dict[str, Any] = Field(default_factory=dict)
    """What replaces the keys above under `--full`."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        for key in ("splits", "recipes"):
            if not getattr(self, key):
                context = {"key": key, "fix": f"Name {key} to compare."}
                raise PydanticCustomError("empty", "{key}: nothing is listed. {fix}", context)
        return self

    @model_validator(mode="after")
    def _left_out(self) -> Self:
        known = adapting()
        for name in self.without:
            if name not in known or EVERY not in self.recipes:
                fix = suggestion(name, known) if name not in known else f"List `{EVERY}` among the recipes."
                context = {"key": "without", "recipe": name, "fix": fix}
                raise PydanticCustomError(
                    "left_out", "{key}: `all` has no recipe {recipe} to leave out. {fix}", context
                )
        if not self.entries:
            context = {"key": "without", "fix": "Leave out fewer, or list a recipe beside `all`."}
            raise PydanticCustomError("left_out", "{key}: nothing of `all` is left. {fix}", context)
        return self

    @model_validator(mode="after")
    def _one_of_each_name(self) -> Self:
        sources = {entry.name: entry.source for entry in self.listed}
        for name, count in Counter(entry.name for entry in self.listed).items():
            context = {"key": "recipes", "name": name, "count": count, "fix": RENAME}
            if count > 1:
                raise PydanticCustomError("twice", "{key}: {count} entries are called '{name}'. {fix}", context)
            if "/" in name:
                context["fix"] = f"Write {{name: {Path(name).stem}, recipe: {sources[name]}}}."
                raise PydanticCustomError("path", "{key}: files are named by '{name}', which is a path. {fix}", context)
        return self

    @model_validator(mode="after")
    def _names_listed(self) -> Self:
        names = [entry.name for entry in self.entries]
        for name in self.baseline.split(",") if self.baseline else ():
            if name.strip() not in names:
                context = {"key": "baseline", "name": name.strip(), "fix": suggestion(name.strip(), names)}
                raise PydanticCustomError("baseline", "{key}: no entry is called '{name}'. {fix}", context)
        for entry in self.listed:
            for split in entry.splits:
                if split not in self.splits:
                    context = {"key": f"recipes.{entry.name}.splits", "name": split}
                    context["fix"] = suggestion(split, self.splits)
                    raise PydanticCustomError("split", "{key}: the suite has no split '{name}'. {fix}", context)
        return self

    @model_validator(mode="after")
    def _advised(self) -> Self:
        names = [entry.name for entry in self.entries]
        lacking = ", ".join(name for name in RECIPES if name not in names)
        if self.advice and lacking:
            context = {"key": "advice", "lacking": lacking, "fix": "Name an entry after each strategy."}
            raise PydanticCustomError("advice", "{key}: no entry is called {lacking}. {fix}", context)
        return self

    @property
    def compared_with(self) -> str:
        """The baseline's name; empty without one."""
        return self.baseline or next((entry.name for entry in self.entries if entry.apart), "")

    @property
    def listed(self) -> tuple[Entry, ...]:
        """The recipes as entries, but for those that `all` stands for."""
        return tuple(entry_of(item) if isinstance(item, str) else item for item in self.recipes if item != EVERY)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The recipes as entries, by name; of two of one name the one listed wins over that of `all`."""
        every = adapting() if EVERY in self.recipes else []
        some = [entry_of(name) for name in every if name not in self.without]
        return tuple({entry.name: entry for entry in [*some, *self.listed]}.values())


def entry_of(recipe: str) -> Entry:
    """A recipe under its own name, or its file's."""
    return Entry(name=Path(recipe).stem, recipe=recipe)
