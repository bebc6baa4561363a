"""Suites: recipes x splits x seeds, from YAML to bound runs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from dareps.errors import ConfigError, config_error
from dareps.plugin import plugins as plugins_of
from dareps.recipe.bind import bind_run, find_config, load_plugins, read_recipe
from dareps.recipe.defaults import fill
from dareps.recipe.overrides import apply_overrides
from dareps.recipe.settings import RECIPE_KEYS, Run
from dareps.recipe.yaml_io import read
from dareps.suite.parts import Change, pairs, parts_of
from dareps.suite.settings import RENAME, Entry, Suite, entry_of
from dareps.transfer import Phase


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
            `phases.0.steps` leaves `linear_svm` alone, `phases.0.grid` the others, `phases.1.steps` those of one phase.
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
    found = [known[name] if name in known else entry_of(name) for name in dict.fromkeys(recipes)]
    for name, count in Counter(entry.name for entry in found).items():
        if count > 1:
            raise ConfigError("--recipes", f"{count} of these are called the same", name, RENAME)
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
        phases = _phases(entry)
        reach = _Reach(_phase_keys(phases), len(phases), _length(read_recipe(entry.source).get("align")))
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
        phases: How many it has.
        terms: How many alignments it has by now.
    """

    keys: set[str]
    phases: int
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
        if head == "phases" and rest and rest[0].isdecimal() and int(rest[0]) >= self.phases:
            return False
        return head != "phases" or len(rest) < 2 or rest[1] in self.keys or rest[1] not in _known_phase_keys()


def _length(items: Any) -> int:
    return len(items) if isinstance(items, list | tuple) else 0


def _known_phase_keys() -> set[str]:
    return {key for phase in plugins_of(Phase).values() for key in phase.model_fields}


def _phases(entry: Entry) -> list[dict[str, Any]]:
    """The phases of an entry, as far as they are written as mappings or names."""
    own = [(path, value) for path, value in entry.set.items() if path.split(".")[0] == "phases"]
    phases = apply_overrides({"phases": [{}], **read_recipe(entry.source)}, own)["phases"]
    named = [{"name": phase} if isinstance(phase, str) else phase for phase in phases or ()]
    return [phase for phase in named if isinstance(phase, dict)]


def _phase_keys(phases: Sequence[Mapping[str, Any]]) -> set[str]:
    """The settings that phases have."""
    classes = plugins_of(Phase)
    names = [phase.get("name", Phase.default) for phase in phases]
    return {key for name in names if name in classes for key in classes[name].model_fields}
