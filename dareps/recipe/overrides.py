"""`key.path=value` overrides on nested settings, before they are bound."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from dareps.errors import ConfigError
from dareps.recipe.yaml_io import parse


def parse_override(text: str) -> tuple[str, Any]:
    """`align.0.weight=0.3` -> (`align.0.weight`, 0.3); the value is YAML."""
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path or any(not part for part in path.split(".")):
        fix = "Write it as key.path=value, for instance align.0.weight=0.3."
        raise ConfigError("override", "not of the form key.path=value", text, fix)
    try:
        return path, parse(value, f"override {path}")
    except ConfigError as error:
        # A shell ends a word at a blank and keeps braces and stars to itself.
        fix = "Put the whole override in quotes if it holds blanks or braces."
        raise ConfigError(f"override {path}", error.what, value, fix) from None


def apply_overrides(settings: Mapping[str, Any], overrides: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A copy of the settings with each path set; `*` as a list index means every item."""
    result = copy.deepcopy(dict(settings))
    for path, value in overrides:
        _assign(result, path.split("."), value, path)
    return result


def _assign(node: Any, parts: list[str], value: Any, path: str) -> None:
    head, *rest = parts
    for key in _keys(node, head, path):
        if not rest:
            if key == "name" and node.get("name") != value:
                node.clear()  # the settings of another part do not carry over
            node[key] = copy.deepcopy(value)
            continue
        node[key] = _opened(node, key, path, rest[0])
        _assign(node[key], rest, value, path)


def _keys(node: Any, head: str, path: str) -> list[Any]:
    """The keys of `node` that one part of the path means."""
    if not isinstance(node, list):
        return [head]
    if head == "*":
        return list(range(len(node)))
    if not head.isdecimal() or int(head) >= len(node):
        there = f"There are {len(node)} items, counted from 0." if node else "The list is empty."
        raise ConfigError(f"override {path}", "no such item of the list", head, there)
    return [int(head)]


def _opened(node: Any, key: Any, path: str, below: str) -> Any:
    """The container below `node[key]`, made where a name or nothing stands; `below` is the path's next part."""
    child = node[key] if isinstance(node, list) else node.get(key)
    if child is None:
        return [] if below == "*" or below.isdecimal() else {}
    if isinstance(child, str):
        return {"name": child}
    if isinstance(child, tuple):
        return list(child)
    if not isinstance(child, (dict, list)):
        raise ConfigError(f"override {path}", "the path goes below a plain value", child, "Shorten the path.")
    return child
