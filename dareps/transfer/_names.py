"""Names of tensors in files of weights, whoever wrote them, as names in an encoder of stages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from dareps.errors import ConfigError
from dareps.plugin import suggestion

WRAPPERS = ("module.", "model.")
"""What other programs put before all names."""
ENCODERS = ("encoder.", "backbone.", "chain.")
"""What stands before the names of an encoder's tensors."""
HEADS = ("heads", "head", "fc", "classifier")
"""What classifiers are called."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of a file.

    Attributes:
        name: Its name there.
        full: The same without wrappers, renamed as the user asked.
        key: The same as an encoder of stages would call it: `STAGE.REST`.
        encoder: Whether its name says that it belongs to an encoder.
        value: The tensor.
    """

    name: str
    full: str
    key: str
    encoder: bool
    value: Tensor

    @property
    def head(self) -> str:
        """The first part of its name."""
        return self.key.partition(".")[0]


def stored(
    tensors: Mapping[str, Tensor],
    rename: Mapping[str, str],
    stages: Sequence[str],
    keys: Collection[str],
    aliases: Mapping[str, str],
) -> tuple[list[Stored], list[str]]:
    """The tensors of a file under the names that a method knows, and notes on how they were read.

    Args:
        tensors: Name -> tensor.
        rename: Beginnings of names, and what stands in their place.
        stages: Of the encoder.
        keys: Names of the method's own tensors, which are never read as something else.
        aliases: What others call the beginnings of the encoder's names.

    Raises:
        ConfigError: A beginning that is to be renamed stands nowhere, or two names become one.
    """
    names, notes = _unwrapped(list(tensors), stages)
    renamed = _renamed(names, rename)
    found, read = [], set[str]()
    for (name, value), full in zip(tensors.items(), renamed, strict=True):
        own = _bare(Stored(name, full, full, False, value), stages, keys)
        if own.key != full:
            read.add(full.removesuffix(own.key))
        found.append(own if own.key in keys else replace(own, key=begun(own.key, aliases) or own.key))
    _refuse_twins([own for own in found if own.key in keys])
    return found, notes + [f"names below {start} are read as the encoder's" for start in sorted(read)]


def begun(name: str, starts: Mapping[str, str]) -> str | None:
    """The name with its longest beginning among `starts` replaced, at a dot or as a whole; None if it has none."""
    fitting = [old for old in starts if not old or name == old or name.startswith(f"{old.removesuffix('.')}.")]
    if not fitting:
        return None
    old = max(fitting, key=len)
    rest = name[len(old) :].removeprefix(".")
    return ".".join(part for part in (starts[old].removesuffix("."), rest) if part)


def _unwrapped(names: list[str], stages: Sequence[str]) -> tuple[list[str], list[str]]:
    notes = []
    while names and (start := _wrapper(names, stages)):
        names = [name.removeprefix(start) for name in names]
        notes.append(f"{start} stands before every name and is left out")
    return names, notes


def _wrapper(names: Sequence[str], stages: Sequence[str]) -> str:
    common = (start for start in WRAPPERS if start[:-1] not in stages)
    return next((start for start in common if all(name.startswith(start) for name in names)), "")


def _renamed(names: list[str], rename: Mapping[str, str]) -> list[str]:
    for old in rename:
        if not any(begun(name, {old: ""}) is not None for name in names):
            what = "no name in the file begins so"
            heads = {".".join(name.split(".")[:depth]) for name in names for depth in (1, 2)}
            raise ConfigError("pretrained.rename", what, old, suggestion(old, heads))
    return [name if (new := begun(name, rename)) is None else new for name in names]


def _bare(own: Stored, stages: Sequence[str], keys: Collection[str]) -> Stored:
    """Without what says that it is an encoder's."""
    key = own.key
    while key not in keys and (start := next((start for start in ENCODERS if key.startswith(start)), "")):
        if start[:-1] in stages:
            break
        key = key.removeprefix(start)
    return replace(own, key=key, encoder=key != own.key)


def _refuse_twins(found: Sequence[Stored]) -> None:
    seen: dict[str, str] = {}
    for own in found:
        if own.key in seen:
            what = f"{seen[own.key]} and {own.name} would both be {own.key}"
            raise ConfigError("pretrained.rename", what, fix="Rename one of them otherwise.")
        seen[own.key] = own.name
