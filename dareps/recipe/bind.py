"""From names, files and overrides to bound runs, and from bound runs to keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dareps.data._base import Dataset
from dareps.errors import ConfigError, config_error
from dareps.plugin import Plugin, find, load_file, suggestion
from dareps.plugin import plugins as known_parts
from dareps.recipe.defaults import fill, resolve, with_fitting_rules
from dareps.recipe.neutral import ENGINE_NEUTRAL, unsaid
from dareps.recipe.origins import by_content
from dareps.recipe.overrides import apply_overrides, parse_override
from dareps.recipe.settings import RECIPE_KEYS, Recipe, Run
from dareps.recipe.yaml_io import ENDINGS, read

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
RUN_KEYS = ("data", "protocol", "engine")
RESULTS_VERSION = "2"
"""Raised when a change of the engine alters results; part of every key."""


@cache
def shipped(kind: str) -> Mapping[str, Path]:
    """Name -> file of the shipped `recipes` or `suites`."""
    return {path.stem: path for path in sorted((CONFIGS / kind).glob("*.yaml"))}


def find_config(kind: str, name: str) -> Path:
    """The file of a shipped recipe or suite, or of a user's own given by its path."""
    known = shipped(kind)
    if name in known:
        return known[name]
    path = expanded(name, kind.removesuffix("s"))
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise ConfigError(kind.removesuffix("s"), "there is no such file", name, suggestion(path.stem, known))
    raise ConfigError(kind.removesuffix("s"), "no shipped one has this name", name, suggestion(name, known))


def expanded(name: str, where: str) -> Path:
    """A path that a user wrote, `~` replaced.

    Raises:
        ConfigError: No file can have this name.
    """
    try:
        path = Path(name).expanduser()
        path.resolve().exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(where, f"not a usable path ({error})", name, "Check the spelling.") from None
    return path


def read_recipe(name: str) -> dict[str, Any]:
    """The raw settings of a recipe; plug-in files it names are loaded, relative to the recipe's own folder."""
    path = find_config("recipes", name)
    settings = read(path)
    if "plugins" in settings:
        settings["plugins"] = load_plugins(settings["plugins"], path.parent)
    return settings


def load_plugins(names: object, folder: Path) -> object:
    """Load the files of a `plugins:` list and return them as absolute paths, which other processes understand too.

    Anything but a list of texts comes back as it is: binding refuses it with its key path.
    """
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return names
    paths = [(folder / expanded(name, "plugins")).resolve() for name in names]
    for path in paths:
        if path.suffix in ENDINGS:
            from dareps.recipe.own_data import load_description  # Takes long to import.

            load_description(path)
        else:
            load_file(path)
    return [str(path) for path in paths]


def bind_recipe(settings: Mapping[str, Any], where: str) -> Recipe:
    """Settings as a recipe; anything that does not fit is a `ConfigError` with its key path."""
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise config_error(error, where) from None
    except RecursionError:
        raise ConfigError(where, "the settings contain themselves", fix="Remove the YAML alias.") from None


def bind_run(
    recipe: str,
    split: str,
    seed: int = 0,
    overrides: Iterable[tuple[str, Any]] = (),
    settings: Mapping[str, Any] | None = None,
    label: str | None = None,
    plugins: Iterable[str] = (),
) -> Run:
    """Bind a recipe on a split.

    Args:
        recipe: Name of a shipped recipe or path of a YAML file.
        split: `DATA/SOURCE:TARGET`, or `DATA/DOMAIN` to learn without a target.
        seed: Seed of initialisation, noise, order of rows and split.
        overrides: `(key.path, value)` pairs on the recipe's keys, `data`, `protocol` and `engine`.
        settings: Further values of `data`, `protocol` and `engine`, as a suite gives them; overrides win.
        label: What tables call the recipe; its name by default.
        plugins: Plug-in files beyond those the recipe names.
    """
    from dareps.data.split import parse_split

    name = label or Path(recipe).stem
    raw: dict[str, Any] = {**(settings or {}), **read_recipe(recipe)}
    extra = load_plugins(list(plugins), Path.cwd())
    if isinstance(extra, list) and extra and isinstance(raw.get("plugins", []), list):
        raw["plugins"] = [*raw.get("plugins", []), *extra]
    parsed = parse_split(split)
    if not parsed.targets:
        raw.setdefault("protocol", "supervised")
    raw["data"] = {**_named(raw.get("data"), parsed.dataset_name), "name": parsed.dataset_name}
    told = [parse_override(f"data.{word}") for word in parsed.told.split(",") if word]
    raw = apply_overrides(fill(raw, find(Dataset, parsed.dataset_name)), _checked(told, overrides))
    method = bind_recipe({key: value for key, value in raw.items() if key not in RUN_KEYS}, f"recipe {name}")
    rest = {key: raw[key] for key in RUN_KEYS if key in raw}
    fixed = {"recipe": name, "method": method, "source": parsed.sources, "target": parsed.targets, "seed": seed}
    fixed |= {"labelled": parsed.labelled, "held": parsed.held, "told": parsed.told}
    run = _validated({**rest, **fixed}, f"recipe {name}")
    return with_fitting_rules(run.model_copy(update={"method": resolve(method, run.data)}))


def rebind(config: Mapping[str, Any], where: str = "run") -> Run:
    """A run from what `Run.model_dump` gave, plug-in files included."""
    method = config.get("method")
    if isinstance(method, Mapping):
        load_plugins(method.get("plugins", ()), Path.cwd())
    return _validated(config, where)


def dump_run(run: Run) -> dict[str, Any]:
    """The bound configuration as plain lists and mappings, ready for YAML and JSON."""
    return unsaid(json.loads(json.dumps(run.model_dump())))


def run_key(run: Run, checksum: str) -> str:
    """Digest of the bound configuration, the data's checksum and the versions of the plug-ins in use."""
    config = dump_run(run)
    config["method"].pop("plugins")
    config.pop("told", None)  # Another name for settings that the key covers.
    config["method"] = by_content(config["method"], run.method)
    for key in ENGINE_NEUTRAL:
        config["engine"].pop(key)
    versions = sorted(f"{part.family}/{type(part).name}/{part.version}" for part in parts(run))
    identity = {"results": RESULTS_VERSION, "config": config, "data": checksum, "versions": versions}
    if run.method.tasks:
        identity["rows"] = "labelled"  # Not so before: such runs were fed rows without a label, too.
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def parts(settings: object) -> list[Plugin]:
    """All plug-ins inside bound settings, outermost first."""
    if isinstance(settings, tuple):
        return [part for item in settings for part in parts(item)]
    fields = getattr(type(settings), "model_fields", None)
    if fields is None:
        return []
    own = [settings] if isinstance(settings, Plugin) else []
    return own + [part for name in fields for part in parts(getattr(settings, name))]


def _validated(settings: Mapping[str, Any], where: str) -> Run:
    try:
        return Run.model_validate(settings)
    except ValidationError as error:
        raise config_error(error, where) from None
    except RecursionError:
        raise ConfigError(where, "the settings contain themselves", fix="Remove the YAML alias.") from None


def _named(value: Any, dataset: str) -> dict[str, Any]:
    """The `data` settings as a mapping; a name there must be the split's."""
    if value is None:
        return {}
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, dict):
        raise ConfigError("data", "expected a mapping of the dataset's settings", value, "Write key: value lines.")
    if settings.get("name", dataset) != dataset:
        known = ", ".join(known_parts(Dataset))
        raise ConfigError("data.name", f"the split is on {dataset}", settings["name"], f"Datasets: {known}.")
    return settings


def _checked(told: Sequence[tuple[str, Any]], overrides: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Both, what the split's name tells of the data first."""
    known = (*RECIPE_KEYS, *RUN_KEYS)
    said, changes = dict(told), [*told, *overrides]
    for path, value in changes:
        if path in said and said[path] != value:
            what = f"the split says {said[path]!r}"
            raise ConfigError(f"override {path}", what, value, "Leave it out here, or in the split's brackets.")
        head = path.split(".")[0]
        if head not in known:
            raise ConfigError(f"override {path}", "unknown key", head, suggestion(head, known))
        if path in ("data", "data.name"):
            fix = "Use --split DATA/SOURCE:TARGET."
            raise ConfigError(f"override {path}", "the dataset is named by --split", fix=fix)
        if head == "plugins":
            raise ConfigError(f"override {path}", "plug-in files are named by --plugin", fix="Use --plugin FILE.")
    return changes
