"""What users name as `package.module:attribute` or `path/to/file.py:attribute`; needs no torch."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from dareps.errors import ConfigError, DarepsError
from dareps.plugin import suggestion

WHERE = "encoder.import"
SUFFIX = ".py"


def parted(name: str) -> tuple[str, str]:
    """The module or file, and the attribute."""
    place, _, attribute = name.rpartition(":")
    return place, attribute


def absolute(name: str) -> str:
    """The name with the path of a file made absolute, which other folders understand too."""
    place, attribute = parted(name)
    return f"{Path(place).expanduser().resolve()}:{attribute}" if place.endswith(SUFFIX) else name


def source_of(name: str) -> Path | None:
    """The file that would be imported, found without running it; None where it is none of Python's text files.

    Raises:
        ConfigError: There is no such file or module.
    """
    place, _ = parted(name)
    if place.endswith(SUFFIX):
        path = Path(place)
        if not path.is_file():
            raise ConfigError(WHERE, "there is no such file", name, "Paths are relative to the working directory.")
        return path
    if place == "__main__":
        origin = getattr(sys.modules[place], "__file__", None)
    else:
        _findable(Path.cwd())
        origin = _spec(place, name).origin
    return Path(origin) if origin and origin.endswith(SUFFIX) else None


def imported(name: str) -> Callable[..., object]:
    """The function or class of a name.

    Raises:
        ConfigError: It cannot be imported, or is nothing to call.
    """
    place, attribute = parted(name)
    path = source_of(name)
    found: object = _of_file(path, name) if path is not None and place.endswith(SUFFIX) else _module(place, name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            inside = getattr(found, "__dict__", {})
            known = [own for own, value in inside.items() if callable(value) and not own.startswith("_")]
            raise ConfigError(WHERE, f"there is no {part!r} in it", name, suggestion(part, known))
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(WHERE, f"{attribute} is no class and no function", name, "Name what makes the network.")
    # A saved model says what to call, and nobody who loads it expects commands of the system.
    if str(getattr(found, "__module__", "")).partition(".")[0] in sys.stdlib_module_names - {"__main__"}:
        raise ConfigError(WHERE, "Python's own library makes no networks", name, "Name what makes the network.")
    return found


def _findable(folder: Path) -> None:
    """Let Python find modules in a folder, after all others; also those that functions import when they are called."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()


def _spec(module: str, name: str) -> ModuleSpec:
    """Where a module is; the packages around it are not run."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top) if top else None
    except (ImportError, ValueError):
        spec = None
    path = top
    for part in rest:
        path = f"{path}.{part}"
        inside = spec.submodule_search_locations if spec is not None else None
        spec = PathFinder.find_spec(path, list(inside)) if inside is not None else None
    if spec is None:
        fix = "Modules are looked for in the working directory and where Python's packages are."
        raise ConfigError(WHERE, f"there is no module {module!r}", name, fix)
    return spec


def _module(module: str, name: str) -> ModuleType:
    with _told(name):
        return importlib.import_module(module)


def _of_file(path: Path, name: str) -> ModuleType:
    """A file as a module of its own, which an edited file is anew."""
    digest = hashlib.sha256(f"{path.resolve()}".encode() + path.read_bytes()).hexdigest()[:16]
    title = f"dareps_network_{path.stem}_{digest}"
    if title in sys.modules:
        return sys.modules[title]
    _findable(path.parent)
    spec = importlib.util.spec_from_file_location(title, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[title] = importlib.util.module_from_spec(spec)
    try:
        with _told(name):
            spec.loader.exec_module(module)
    except ConfigError:
        del sys.modules[title]
        raise
    return module


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Whatever a user's code raises as it is imported, as one line."""
    try:
        yield
    except DarepsError:
        raise
    except (Exception, SystemExit) as error:
        fix = "Import it in Python to see the whole traceback."
        raise ConfigError(WHERE, f"it cannot be imported ({reason(error)})", name, fix) from error


def reason(error: BaseException) -> str:
    """An error in one line."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
