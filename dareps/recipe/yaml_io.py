"""YAML as people mean it: 1e-3 is a number, only true and false are booleans, a key given twice is an error."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode

from dareps.errors import ConfigError

ENDINGS = (".yaml", ".yml")
"""Of files that are YAML."""
_FLOAT = re.compile(r"^[-+]?((\d+\.\d*|\.\d+)([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(inf|nan))$")
_BOOL = re.compile(r"^(true|false)$")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the surprises taken out."""


_dropped = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in _dropped]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def _mapping(loader: _Loader, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str) and key in seen:
            raise ConstructorError(None, None, f"the key {key!r} is given twice", key_node.start_mark)
        if isinstance(key, str):
            seen.add(key)
    loader.flatten_mapping(node)
    return yaml.constructor.SafeConstructor.construct_mapping(loader, node, deep)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


@lru_cache(maxsize=256)
def _value(text: str) -> Any:
    """What a text holds. A suite of many runs asks for the same recipes again and again."""
    return yaml.load(text, _Loader)  # the loader is a SafeLoader


def parse(text: str, where: str) -> Any:
    """The value of a YAML text; a fault is a `ConfigError` that names the line."""
    try:
        return deepcopy(_value(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + 1}" if mark is not None else where
        raise ConfigError(place, f"not valid YAML ({error.problem})", fix="Mend the line.") from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(where, f"not valid YAML ({reason})", fix="Mend the text.") from None


def read(path: Path) -> dict[str, Any]:
    """A YAML file that must hold a mapping; one that holds nothing is rather a mistake than a wish for defaults."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(str(path), "the file is not UTF-8 text", fix="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})", fix="Check path and rights.") from None
    value = parse(text, str(path))
    if value is None:
        raise ConfigError(str(path), "the file holds no settings", fix="Write `key: value` lines.")
    if not isinstance(value, dict):
        raise ConfigError(str(path), "expected a mapping of keys", value, "Write `key: value` lines.")
    return value


class _Dumper(yaml.SafeDumper):
    """Settings as short YAML: no aliases, lists of numbers on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        """Repeat equal parts rather than pointing at them."""
        return True


_BREAKS = "\x85\u2028\u2029\ufeff"
"""Characters that YAML folds or drops unless they are escaped, which PyYAML does in double quotes alone."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if any(mark in text for mark in _BREAKS) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
# A text that the loader above would read as a number is quoted; the surprises of other loaders stay quoted, too.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Dumper.add_representer(tuple, lambda dumper, data: dumper.represent_list(list(data)))


def dump(value: object) -> str:
    """YAML text that `parse` reads back to an equal value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
