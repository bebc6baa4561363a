"""Settings as people read them: what a key accepts, its value, and the sentence below it in the source."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from dareps.plugin import Plugin, Settings, Tune

_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_WORDS = {bool: "true | false", str: "text", int: "int", float: "float", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Line:
    """One setting.

    Attributes:
        path: What an override calls it.
        value: Its value as YAML.
        accepts: What it may be.
        text: What it means.
    """

    path: str
    value: str
    accepts: str
    text: str

    @property
    def cells(self) -> tuple[str, str, str]:
        """The line in columns."""
        return f"{self.path} = {self.value}", self.accepts, self.text


def setting_lines(settings: Settings, head: str = "") -> Iterator[Line]:
    """The settings below bound ones, depth first, each under its override's path."""
    for name, field in type(settings).model_fields.items():
        value, path = getattr(settings, name), f"{head}.{field.alias or name}".lstrip(".")
        yield from _lines(value, path, accepted(field), field_texts(type(settings)).get(name, ""))


def class_lines(settings: type[Settings]) -> Iterator[Line]:
    """The settings of a class with their defaults."""
    for name, field in settings.model_fields.items():
        text = field_texts(settings).get(name, "")
        default = "(needed)" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        yield Line(field.alias or name, default, accepted(field), text)


def field_texts(settings: type[Settings]) -> Mapping[str, str]:
    """Field -> the text literal that follows it in the source, inherited ones included."""
    texts: dict[str, str] = {}
    for base in reversed(settings.__mro__):
        if issubclass(base, Settings) and base not in (Settings, Plugin):
            texts |= _own_texts(base)
    return texts


def accepted(field: FieldInfo) -> str:
    """What a field accepts, in words."""
    return f"{_spelled(field.annotation)} {_bounds(field.metadata)}".strip()


def _lines(value: Any, path: str, accepts: str, text: str) -> Iterator[Line]:
    items = isinstance(value, tuple) and any(isinstance(item, Settings) for item in value)
    if items:
        for index, item in enumerate(value):
            yield from _lines(item, f"{path}.{index}", accepts.removeprefix("list of "), text if index == 0 else "")
    elif isinstance(value, Settings):
        if isinstance(value, Plugin):
            yield Line(path, type(value).name, accepts, text)
        yield from setting_lines(value, path)
    else:
        yield Line(path, _shown(value), accepts, text)


def _shown(value: object) -> str:
    """A value on one line, as an override would give it."""
    if isinstance(value, Plugin):
        return type(value).name
    if isinstance(value, Settings):
        return _shown(value.model_dump(exclude_defaults=True))
    if isinstance(value, tuple | list):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_shown(item)}' for key, item in value.items())}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _spelled(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return f"{_spelled(arguments[0])} {_bounds(arguments[1:])}".strip()
    if origin is Literal:
        return " | ".join(str(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(_spelled(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {_spelled(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Plugin):
        return annotation.family
    return _WORDS.get(annotation, "mapping")


def _bounds(metadata: Any) -> str:
    found = [
        f"{sign} {getattr(item, name)}" for item in metadata for name, sign in _SIGNS.items() if hasattr(item, name)
    ]
    tuned = [f"({item})" for item in metadata if isinstance(item, Tune)]
    return " ".join([", ".join(found), *tuned]).strip()


def _own_texts(settings: type[Settings]) -> dict[str, str]:
    try:
        body = _classes(inspect.getsourcefile(settings) or "").get(settings.__qualname__)
    except (OSError, TypeError, SyntaxError):
        return {}
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body.body if body is not None else ())
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


@cache
def _classes(file: str) -> dict[str, ast.ClassDef]:
    """The classes of a file by qualified name; read once, since finding each in its source takes much longer."""
    return dict(_within(ast.parse(Path(file).read_text(encoding="utf-8")), ""))


def _within(node: ast.AST, place: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield f"{place}{child.name}", child
            yield from _within(child, f"{place}{child.name}.")
        elif isinstance(child, ast.FunctionDef):
            yield from _within(child, f"{place}{child.name}.<locals>.")
