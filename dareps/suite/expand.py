"""Suites: recipes x splits x seeds, from YAML to bound runs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from dareps.errors import ConfigError, config_error
from dareps.plugin import Many, Settings, suggestion
from dareps.plugin import plugins as plugins_of
from dareps.recipe.bind import bind_run, find_config, load_plugins, read_recipe
from dareps.recipe.defaults import fill
from dareps.recipe.overrides import apply_overrides
from dareps.recipe.settings import RECIPE_KEYS, Run
from dareps.recipe.yaml_io import read
from dareps.suite.parts import Apart, Change, adapting, pairs, parts_of
from dareps.transfer import Phase

EVERY = "all"
_RENAME = "Give each a name of its own: {name: mine, recipe: dan, set: {...}}."


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
            context = {"key": "recipes", "name": name, "count": count, "fix": _RENAME}
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

    @property
    def compared_with(self) -> str:
        """The baseline's name; empty without one."""
        return self.baseline or next((entry.name for entry in self.entries if entry.apart), "")

    @property
    def listed(self) -> tuple[Entry, ...]:
        """The recipes as entries, but for those that `all` stands for."""
        return tuple(_entry(item) if isinstance(item, str) else item for item in self.recipes if item != EVERY)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The recipes as entries, by name; of two of one name the one listed wins over that of `all`."""
        every = [name for name in adapting() if EVERY in self.recipes and name not in self.without]
        return tuple({entry.name: entry for entry in [*map(_entry, every), *self.listed]}.values())


def read_suite(name: str, full: bool = False) -> tuple[str, Suite]:
    """The title and the bound settings of a shipped suite or of a user's own file.

    Raises:
        ConfigError: There is no such suite, or it cannot be used as written.
    """
    path = find_config("suites", name)
    settings = read(path)
    changes = settings.get("full")
    if full and not changes:
        raise ConfigError(f"suite {path.stem}", "it has no paper-sized variant", fix="Leave --full out.")
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
        overrides: On top of the suite's own. Both change a phase's setting only in recipes whose phases have it:
            `phases.0.steps` leaves `linear_svm` alone, `phases.0.grid` the others.
        plugins: Plug-in files beyond those of the suite.
    """
    wanted = entries_of(suite, recipes)
    changes, files = changes_of(suite, wanted, overrides), [*suite.plugins, *plugins]
    return [
        bind_run(entry.source, part, seed, [*changes[entry.name], *own], label=entry.name, plugins=files)
        for split, entry in itertools.product(splits_of(suite, splits), wanted)
        if split in (entry.splits or [split])
        for part, own in _parts(entry, split, changes[entry.name])
        for seed in range(seeds or suite.seeds)
    ]


def _parts(entry: Entry, split: str, changes: Sequence[Change]) -> list[tuple[str, list[Change]]]:
    """The splits and further overrides of an entry's runs on a split."""
    if entry.apart is None:
        return [(split, [])]
    tasks = dict(changes).get("tasks") or read_recipe(entry.source).get("tasks") or ()
    return parts_of(entry.apart, split, (tasks,) if isinstance(tasks, str) else tasks, f"recipes.{entry.name}.apart")


def splits_of(suite: Suite, splits: Sequence[str] = ()) -> list[str]:
    """These splits, or those of the suite, each once."""
    return list(dict.fromkeys(split for text in (splits or suite.splits) for split in pairs(text)))


def entries_of(suite: Suite, recipes: Sequence[str] = ()) -> list[Entry]:
    """The entries with these names, or of further recipes; all of the suite's when none are named.

    Raises:
        ConfigError: Two different ones have the same name.
    """
    known = {entry.name: entry for entry in suite.entries}
    found = [known[name] if name in known else _entry(name) for name in dict.fromkeys(recipes)]
    for name, count in Counter(entry.name for entry in found).items():
        if count > 1:
            raise ConfigError("--recipes", f"{count} of these are called the same", name, _RENAME)
    return found or list(known.values())


def written(entry: Entry, run: Run, changes: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The raw recipe that binds to the method of this entry's run, with what it took from the dataset spelled out."""
    raw = {**read_recipe(entry.source), "plugins": list(run.method.plugins)}
    own = [change for change in changes if change[0].split(".")[0] in RECIPE_KEYS]
    return {key: value for key, value in apply_overrides(fill(raw, type(run.data)), own).items() if value != []}


def changes_of(
    suite: Suite, entries: Sequence[Entry], overrides: Sequence[tuple[str, Any]]
) -> dict[str, list[tuple[str, Any]]]:
    """The overrides of each entry: the suite's, its own, and those of the command line.

    What is set for all is left out where it cannot act; what acts nowhere stays, for its error to be seen.
    """
    before: dict[str, list[tuple[str, Any]]] = {}
    acting: dict[str, list[bool]] = {}
    for entry in entries:
        reach = _Reach(_phase_keys(entry), _length(read_recipe(entry.source).get("align")))
        common = [change for change in suite.set.items() if reach.takes(*change)]
        for change in entry.set.items():
            reach.takes(*change)  # An entry's own changes stay, whether or not they act.
        before[entry.name] = [*common, *entry.set.items()]
        acting[entry.name] = [reach.takes(*change) for change in overrides]
    nowhere = [not any(column) for column in zip(*acting.values(), strict=True)]
    return {
        name: [*own, *(change for change, *kept in zip(overrides, acting[name], nowhere, strict=True) if any(kept))]
        for name, own in before.items()
    }


@dataclass(slots=True)
class _Reach:
    """Which changes act in an entry's recipe, each after those before it.

    Attributes:
        keys: The settings that its phases have.
        terms: How many alignments it has by now.
    """

    keys: set[str]
    terms: int

    def takes(self, path: str, value: Any) -> bool:
        """Whether a change acts."""
        head, *rest = path.split(".")
        if head == "encoder":
            return "trains" in self.keys  # Else nothing would train it.
        if path == "align":
            self.terms = _length(value)
        if head == "align" and rest and rest[0].isdecimal():
            return int(rest[0]) < self.terms
        return head != "phases" or len(rest) < 2 or rest[1] in self.keys or rest[1] not in _known_phase_keys()


def _length(items: Any) -> int:
    return len(items) if isinstance(items, list | tuple) else 0


def _known_phase_keys() -> set[str]:
    return {key for phase in plugins_of(Phase).values() for key in phase.model_fields}


def _entry(recipe: str) -> Entry:
    """A recipe under its own name, or its file's."""
    return Entry(name=Path(recipe).stem, recipe=recipe)


def _phase_keys(entry: Entry) -> set[str]:
    """The settings that the phases of an entry have."""
    own = [(path, value) for path, value in entry.set.items() if path.split(".")[0] == "phases"]
    phases = apply_overrides({"phases": [{}], **read_recipe(entry.source)}, own)["phases"]
    named = [{"name": phase} if isinstance(phase, str) else phase for phase in phases or ()]
    names = [phase.get("name", Phase.default) for phase in named if isinstance(phase, dict)]
    classes = plugins_of(Phase)
    return {key for name in names if name in classes for key in classes[name].model_fields}
