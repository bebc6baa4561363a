"""`dareps list` and `dareps show`: what there is, and all about one of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from dareps.commands._fields import class_lines, field_texts, setting_lines
from dareps.commands._output import columns, enumerated, warn
from dareps.data._base import Protocol
from dareps.errors import ConfigError
from dareps.plugin import PACKAGES, Plugin, Settings, families, find, in_file, plugins, suggestion
from dareps.recipe.bind import bind_run, find_config, load_plugins, parts, shipped
from dareps.recipe.settings import Run
from dareps.recipe.yaml_io import dump, read
from dareps.sharing import SharingScheme

if TYPE_CHECKING:
    from dareps.data._base import Dataset

DEFAULT_SPLIT, OF_SEVERAL_TASKS = "digits8/fonts:scans", "attributes/fruit:solids"
CONFIGS = ("recipes", "suites")


def load_files(files: Iterable[Path]) -> list[str]:
    """Load `--plugin` files; returns their absolute paths."""
    names = [str(file) for file in files]
    if not names:
        return []
    from dareps.suite.warned import warnings_told

    with warnings_told(warn):
        found = load_plugins(names, Path.cwd())
    assert isinstance(found, list)
    return found


def listing(family: str | None) -> Iterator[str]:
    """The names of one family or of all, a line each with what they are.

    Raises:
        ConfigError: There is no such family.
    """
    known = {**{kind: _config_lines(kind) for kind in CONFIGS}, **{name: _plugin_lines(name) for name in families()}}
    if family is not None and family not in known:
        raise ConfigError("list", "no family has this name", family, suggestion(family, known))
    for name in known if family is None else [family]:
        if family is None:
            yield name
        yield from columns(known[name], indent="  " if family is None else "")
        if family is None:
            yield ""


def showing(name: str, files: list[str]) -> Iterator[str]:
    """All about a recipe, a suite or a plug-in; `FAMILY/NAME` where several share the name.

    Raises:
        ConfigError: Nothing has this name.
    """
    found = list(_places(name))
    if not found:
        known = {*shipped("recipes"), *shipped("suites"), *(part for family in families() for part in _parts(family))}
        raise ConfigError("show", "nothing has this name", name, suggestion(name, known))
    family, own = found[0]
    if family == "recipes":
        yield from _recipe(own, files)
    elif family == "suites":
        yield from _suite(own)
    else:
        yield from _part(_parts(family)[own])
    for other, twin in found[1:]:
        yield f"\nAlso in {other}: dareps show {other}/{twin}"


def first_comment(path: Path) -> str:
    """The first comment line of a YAML file."""
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
    return next(lines, "").lstrip("# ")


def _places(name: str) -> Iterator[tuple[str, str]]:
    """(family, name) of everything that a name may mean."""
    if name.endswith((".yaml", ".yml")):
        path = find_config("recipes", name)
        yield ("suites" if "splits" in read(path) else "recipes"), name
        return
    wanted, _, own = name.rpartition("/")
    found = [kind for kind in CONFIGS if own in shipped(kind) and wanted in ("", kind)]
    yield from ((kind, own) for kind in found)
    # Where that is enough, only shipped twins in a file of the name are looked for: all parts take long to import.
    for family in [known for known in PACKAGES if in_file(known, own)] if found else families():
        if wanted in ("", family) and own in _parts(family):
            yield family, own


def _parts(family: str) -> Mapping[str, type[Plugin]]:
    return plugins(families(family)[family])


def _config_lines(kind: str) -> list[tuple[str, str]]:
    return [(name, first_comment(path)) for name, path in shipped(kind).items()]


def _plugin_lines(family: str) -> list[tuple[str, str]]:
    return [(name, _text(part).partition("\n")[0]) for name, part in _parts(family).items()]


def _text(part: type[object]) -> str:
    # A class without a text of its own would show its root's, which speaks of the whole family.
    return inspect.cleandoc(part.__dict__.get("__doc__") or "")


def _recipe(name: str, files: list[str]) -> Iterator[str]:
    path = find_config("recipes", name)
    run = bind_run(name, DEFAULT_SPLIT, plugins=files)
    yield f"Recipe {path.stem}: {path}\n"
    yield path.read_text(encoding="utf-8").rstrip()
    yield f"\nSettings, as bound on {DEFAULT_SPLIT} (override with key.path=value)\n"
    lines = [line.cells for line in setting_lines(run.method) if line.path != "plugins"]
    engine = [line.cells for line in setting_lines(run.engine, "engine")]
    data = [line.cells for line in setting_lines(run.data, "data")]
    choices = " | ".join(get_args(Protocol))
    protocol = (f"protocol = {run.protocol}", choices, field_texts(Run)["protocol"])
    yield from columns([*lines, *data, protocol, *engine], indent="  ")
    yield "\nParts"
    for part in dict.fromkeys(type(part) for part in parts(run.method)):
        yield f"\n{part.family} {part.name}"
        yield from (f"  {line}".rstrip() for line in _text(part).splitlines())


def _suite(name: str) -> Iterator[str]:
    from dareps.suite.expand import expand, read_suite, splits_of
    from dareps.suite.settings import Suite

    path = find_config("suites", name)
    title, suite = read_suite(name)
    runs = expand(suite)
    yield f"Suite {title}: {path}\n"
    yield path.read_text(encoding="utf-8").rstrip()
    wanted = splits_of(suite)
    apart = sum(entry.apart is not None for entry in suite.entries)
    models = f", {apart} of them a model for each task or domain" if apart else ""
    yield f"\n{len(suite.entries)} recipes{models} x {len(wanted)} splits x {suite.seeds} seeds: {len(runs)} runs"
    yield f"splits: {', '.join(wanted)}"
    yield "\nKeys of a suite\n"
    yield from _settings(Suite)


def _part(part: type[Plugin]) -> Iterator[str]:
    yield f"{part.family} {part.name} (version {part.version}): {_file(part)}\n"
    yield _text(part) or "It says nothing of itself."
    if part.family == "data":
        yield from _dataset(part)  # type: ignore[arg-type]
    yield "\nSettings\n" if part.model_fields else "\nIt has no settings."
    yield from _settings(part)
    if part.family == "sharing":
        yield from _sharing(part.name)


def _settings(settings: type[Settings]) -> Iterator[str]:
    yield from columns((line.cells for line in class_lines(settings)), indent="  ")


def _dataset(dataset: type[Dataset]) -> Iterator[str]:
    tasks = [f"{task.name} ({task.kind}, {task.size})" for task in dataset.tasks]
    rows = [("domains", enumerated(dataset.domains)), ("tasks", enumerated(tasks))]
    origin = getattr(dataset, "origin", None)
    if origin is not None:
        rows += [("origin", origin.source), ("licence", origin.licence), ("paper", origin.paper)]
    yield ""
    yield from columns(rows, indent="  ")
    yield "\nWhat recipes leave open is taken from here\n"
    yield from (f"  {line}" for line in dump(dict(dataset.defaults)).splitlines())


def _sharing(name: str) -> Iterator[str]:
    """What a scheme costs with its defaults on the default data."""
    from dareps.engine.anatomy import anatomy
    from dareps.engine.building import build_method, split_of

    part = find(SharingScheme, name)
    split = OF_SEVERAL_TASKS if "domains" not in part.directions else DEFAULT_SPLIT
    yield f"\nParameters and cost on {split}, with what else is the default there\n"
    try:
        run = bind_run("dann", split, overrides=[("sharing", name)])
        data = split_of(run)
        shape = tuple(data.source_train[0].x.shape[1:])
        yield from columns(anatomy(build_method(run, data), shape), indent="  ")
    except ConfigError as error:
        yield f"  {error}"


def _file(part: type[object]) -> str:
    try:
        return inspect.getfile(part)
    except (OSError, TypeError):
        return "defined without a file"
