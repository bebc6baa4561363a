"""Plug-ins: families of frozen settings models in which defining a class is the whole registration.

A family root is declared once (`class Alignment(Plugin, family="alignment")`). Every concrete subclass, in the
package or in a user's own file, is then found by its name wherever a field is annotated with the root.
"""

# Annotations are evaluated here: as strings, pydantic would compile those of the roots anew for each subclass.
import importlib
import importlib.util
import inspect
import math
import pkgutil
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, Strict, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from dareps.errors import ConfigError, ContractError
from dareps.errors import suggestion as suggestion

Item = TypeVar("Item")
Many = Annotated[tuple[Item, ...], Strict(False)]
"""A YAML list, kept as a tuple so that settings stay hashable."""


def _infinity_in_words(value: Any) -> Any:
    """YAML's `.inf` is as good as the word; settings hold no infinite numbers."""
    return "inf" if isinstance(value, float) and math.isinf(value) and value > 0 else value


Strength = Annotated[Annotated[float, Field(ge=0)] | Literal["inf"], BeforeValidator(_infinity_in_words)]
"""A number from 0 on, or `inf` for a limit that is computed as such."""

ENTRY_POINTS = "dareps.plugins"
_SMALLEST = 1e-18
_registry: dict[str, dict[str, "type[Plugin]"]] = {}
_roots: dict[str, "type[Plugin]"] = {}
_discovered: set[str] = set()
_loaded_files: set[Path] = set()
_broken: list[ConfigError] = []
PACKAGES = {
    "alignment": "alignment",
    "augmentation": "data.augment",
    "balancer": "balancing",
    "data": "data",
    "encoder": "encoders",
    "guard": "guarding",
    "optimizer": "transfer",
    "phase": "transfer",
    "regulariser": "transfer.regularise",
    "representation": "data.represent",
    "sampling": "sampling",
    "schedule": "schedules",
    "sharing": "sharing",
    "stem": "encoders.stems",
    "transferability": "transfer.scores",
    "validator": "selection",
}


@dataclass(frozen=True, slots=True)
class Tune:
    """The range that `dareps tune` draws a number from, beside its type: `Annotated[float, Tune(0.1, 1.0)]`.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Draw its logarithm evenly.
        relative: `low` and `high` are factors on the value that a recipe gives; one of 0 stays 0.
    """

    low: float
    high: float
    log: bool = False
    relative: bool = False

    def __post_init__(self) -> None:
        """Refuse a range that nothing can be drawn from."""
        if not self.low < self.high or not (self.low > 0 or not (self.log or self.relative)):
            found, fix = (self.low, self.high), "Give low < high, both above 0 where log or relative is set."
            raise ContractError("Tune", "nothing can be drawn from this range", found, fix)

    def __str__(self) -> str:
        """`tuned 0.1 to 10, log`; factors with a cross."""
        unit = "x" if self.relative else ""
        return f"tuned {self.low:g}{unit} to {self.high:g}{unit}{', log' if self.log else ''}"


class Settings(BaseModel):
    """Frozen, strict settings: unknown keys and wrong types are errors, never guesses."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        """Refuse unknown keys with the nearest spelling, which pydantic's own message lacks."""
        known = {field.alias or name for name, field in cls.model_fields.items()}  # Some are words of Python's own.
        for key in value if isinstance(value, Mapping) else ():
            if key not in known and key not in cls.model_fields:
                context = {"key": str(key), "fix": suggestion(str(key), known)}
                raise PydanticCustomError("unknown_key", "unknown key '{key}'. {fix}", context)
        return value


class Plugin(Settings):
    """Settings of one interchangeable part; the class is found by its `name` within its `family`."""

    family: ClassVar[str] = ""
    name: ClassVar[str] = ""
    default: ClassVar[str] = ""
    """On a root: the part meant by a mapping without `name`."""
    version: ClassVar[str] = "1"
    host: ClassVar[bool] = False
    """True when the part computes on the host, which rules out step capture."""

    def __init_subclass__(cls, **_: object) -> None:
        """Keep class arguments from Python; pydantic hands them to `__pydantic_init_subclass__`."""
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, family: str = "", abstract: bool = False, **_: Any) -> None:
        """Register the class: a root under its family, a concrete part under its name."""
        own = inspect.get_annotations(cls)  # Settled, since parts below would evaluate their texts again.
        own |= {name: ClassVar for name, text in own.items() if str(text).startswith("ClassVar")}
        own |= {name: found.rebuild_annotation() for name, found in cls.model_fields.items() if name in own}
        cls.__annotations__ = own
        if family:
            cls.family = family
            _roots[family] = cls
        elif not abstract:
            cls.name = cls.__dict__.get("name") or snake_case(cls.__name__)
            register(cls)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Roots accept an instance, a name, or a mapping with `name`; concrete parts keep their own schema."""
        if cls is not _roots.get(cls.family):
            return handler(source)
        return core_schema.no_info_plain_validator_function(
            cls.bind,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda part: part.dump()),
        )

    @model_validator(mode="after")
    def _within_single_precision(self) -> Self:
        """Refuse numbers that single precision makes infinite, or 0 where they have to be above it, squares too."""
        for key, field in type(self).model_fields.items():
            value = getattr(self, key)
            if isinstance(value, float) and not (_SMALLEST if _divides(field) else 0) <= abs(value) <= 1 / _SMALLEST:
                context = {
                    "key": key,
                    "value": value,
                    "fix": f"Choose one between {_SMALLEST} and {1 / _SMALLEST:.0e}.",
                }
                raise PydanticCustomError("range", "{key}: a number out of range, {value}. {fix}", context)
        return self

    @classmethod
    def bind(cls, value: object) -> Self:
        """Turn a name, a mapping with `name` or an instance into a part of this family."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, Mapping) and cls.default:
            value = {"name": cls.default, **value}
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            what = "expected the {family}'s name or a mapping with 'name'"
            raise PydanticCustomError("plugin", what, {"family": cls.family})
        settings = {key: item for key, item in value.items() if key != "name"}
        return find(cls, value["name"]).model_validate(settings)

    def dump(self) -> dict[str, Any]:
        """The mapping that binds back to an equal part."""
        return {"name": type(self).name, **self.model_dump()}


Part = TypeVar("Part", bound=Plugin)


def find(root: type[Part], name: str) -> type[Part]:
    """The class called `name` in the family of `root`; an unknown name is a validation error with near spellings."""
    known = _registry.setdefault(root.family, {})
    if name not in known and root.family not in _discovered and in_file(root.family, name):
        importlib.import_module(f"dareps.{PACKAGES[root.family]}.{name}")
    if name not in known:
        plugins(root)
    if name in known:
        return known[name]  # type: ignore[return-value]
    context = {"family": root.family, "fix": " ".join([suggestion(name, known), *map(str, _broken)])}
    raise PydanticCustomError("unknown_name", "no {family} has this name. {fix}", context)


def in_file(family: str, name: str) -> bool:
    """Whether a shipped file has a part's name, as most do: then others need not be imported to find it."""
    place = f"dareps.{PACKAGES.get(family, '')}"
    return name.isidentifier() and family in PACKAGES and importlib.util.find_spec(f"{place}.{name}") is not None


def plugins(root: type[Part]) -> dict[str, type[Part]]:
    """All known parts of a family by name, shipped ones and those of installed third-party packages included."""
    discover(root.family)
    return dict(sorted(_registry.get(root.family, {}).items()))  # type: ignore[arg-type]


def families(*names: str) -> dict[str, type[Plugin]]:
    """Root classes by family name: of some families, or of all."""
    for family in names or PACKAGES:
        discover(family)
    return {family: root for family, root in sorted(_roots.items()) if not names or family in names}


def discover(family: str) -> None:
    """Import the family's modules once, so that their classes register themselves."""
    if family in _discovered:
        return
    _discovered.add(family)
    package = importlib.import_module(f"dareps.{PACKAGES[family]}")
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_") and not module.ispkg:  # What is a package is another family's.
            importlib.import_module(f"{package.__name__}.{module.name}")
    if ENTRY_POINTS not in _discovered:
        _discovered.add(ENTRY_POINTS)
        for entry in entry_points(group=ENTRY_POINTS):
            _load_entry(entry)


def broken() -> tuple[ConfigError, ...]:
    """Installed third-party plug-ins that cannot be imported; everything else works without them."""
    return tuple(_broken)


def load_file(path: Path) -> None:
    """Import a user's plug-in file, so that its classes count like shipped ones."""
    path = path.expanduser().resolve()
    if path in _loaded_files:
        return
    if not path.is_file():
        raise ConfigError("plugins", "there is no such file", str(path), "Give the path of a Python file.")
    module_name = f"dareps_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ConfigError("plugins", "not a Python file", str(path), "Give the path of a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (ConfigError, ContractError):
        raise
    except Exception as error:
        what = f"the plug-in file cannot be imported ({type(error).__name__}: {error})"
        raise ConfigError(str(path), what, fix="Run it with python to see the whole traceback.") from error
    _loaded_files.add(path)


def snake_case(name: str) -> str:
    """`DeepCORAL` -> `deep_coral`, `MMD` -> `mmd`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _divides(field: FieldInfo) -> bool:
    """Whether a field wants a number above 0."""
    inner = [item for choice in (field.annotation, *get_args(field.annotation)) for item in get_args(choice)]
    bounds = [*field.metadata, *(bound for item in inner for bound in getattr(item, "metadata", ()))]
    return any(getattr(bound, "gt", None) == 0 for bound in bounds)


def _load_entry(entry: EntryPoint) -> None:
    """Import a third-party plug-in; one that is broken must not take every command with it."""
    try:
        entry.load()
    except Exception as error:
        owner = entry.dist.name if entry.dist else "an unknown package"
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        what = f"the plug-in {entry.value} of the package {owner} cannot be imported ({reason})"
        _broken.append(ConfigError(f"entry point {entry.name}", what, fix=f"Mend, update or uninstall {owner}."))


def register(cls: type[Plugin]) -> None:
    """Put a concrete part under its name; again, where another one took the place meanwhile.

    Raises:
        ConfigError: A part that is defined elsewhere has this name.
    """
    if not cls.__module__.startswith("dareps.") and cls.family in PACKAGES:
        discover(cls.family)  # Shipped names come first, whoever is imported first.
    known = _registry.setdefault(cls.family, {})
    other = known.get(cls.name)
    if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        what = f"the name {cls.name!r} is taken by {other.__module__}.{other.__qualname__}"
        raise ConfigError(f"{cls.family} {cls.__module__}.{cls.__qualname__}", what, fix="Choose another class name.")
    known[cls.name] = cls
