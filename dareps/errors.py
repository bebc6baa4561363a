"""Every error that dareps raises on purpose: where, what, got, fix, in one line a person can act on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from pydantic import ValidationError


class _Nothing:
    """Marks an error that has no offending value to show."""


NOTHING: Final = _Nothing()
_LONGEST = 200
_BRANCH = re.compile(r"str|int|float|bool|none|constrained-\w+|[A-Z]\w*|\S+\[.*\]")


class DarepsError(Exception):
    """Base of all errors of dareps.

    Args:
        where: The place: a key path, a file, a run or a plug-in.
        what: What is wrong there.
        value: The offending value, left out of the message when not given.
        fix: What the reader can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, where: str, what: str, value: object = NOTHING, fix: str = "") -> None:
        self.where, self.what, self.value, self.fix = where, what, value, fix
        super().__init__(_message(where, what, value, fix))

    def __reduce__(self) -> tuple[type[DarepsError], tuple[str, str, object, str]]:
        """Errors cross process borders, so they rebuild from their four parts."""
        return type(self), (self.where, self.what, self.value, self.fix)


class ConfigError(DarepsError):
    """A recipe, suite, override or option that cannot be used as written."""

    exit_code = 2


class DataError(DarepsError):
    """A dataset that is missing, broken or does not fit the split."""

    exit_code = 2


class ContractError(DarepsError):
    """A plug-in or caller that breaks a contract of the framework."""


class StoreError(DarepsError):
    """A results folder that cannot be read or written."""

    exit_code = 2


class CheckpointError(DarepsError):
    """A checkpoint or model file that is corrupt or belongs to another run."""

    exit_code = 2


class LawViolation(DarepsError, AssertionError):
    """A loss that breaks a law it is subject to.

    Args:
        law: Name of the law.
        example: The smallest input found that breaks it.
        hint: What to look at in the loss.
    """

    def __init__(self, law: str, example: object, hint: str) -> None:
        self.law, self.example, self.hint = law, example, hint
        super().__init__(law, "the law is broken", example, hint)

    def __reduce__(self) -> tuple[type[LawViolation], tuple[str, object, str]]:  # type: ignore[override]
        """Rebuild from the law's own three parts."""
        return type(self), (self.law, self.example, self.hint)


def _message(where: str, what: str, value: object, fix: str) -> str:
    got = "" if value is NOTHING else f", got {_short(value)}"
    return f"{where}: {what}{got}." + (f" {fix}" if fix else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def config_error(error: ValidationError, where: str) -> ConfigError:
    """The first fault of a pydantic error as one `ConfigError` with its key path and the nearest spelling."""
    first = _told(error.errors(include_url=False))
    context = first.get("ctx", {})
    fix, key = str(context.get("fix", "")), context.get("key")
    location = [str(part) for part in first["loc"]] + ([str(key)] if key is not None else [])
    path = ".".join(part for part in (where, *location) if part)
    if first["type"] == "unknown_key":
        return ConfigError(path, "unknown key", key, fix)
    if first["type"] == "missing":
        return ConfigError(path, "this key is missing", fix="Add it.")
    message = first["msg"].replace(fix, "").removeprefix("Value error, ").rstrip(". ")
    if key is not None:  # The path names the key, and the value is all that was written around it.
        return ConfigError(path, message.removeprefix(f"{key}: "), fix=fix)
    return ConfigError(path, message[:1].lower() + message[1:], first.get("input"), fix)


def _told(errors: Sequence[Any]) -> dict[str, Any]:
    """The first fault, without the names that pydantic gives to the branches of a union.

    Of a union's branches the one that got furthest into what was written is what was meant; branches that got equally
    far are all said.
    """
    plain = [
        {**each, "loc": tuple(part for part in each["loc"] if not _BRANCH.fullmatch(str(part)))} for each in errors
    ]
    first = plain[0]
    if len(first["loc"]) == len(errors[0]["loc"]):
        return first
    meant = [each for each in plain if each["loc"][: len(first["loc"])] == first["loc"]]
    furthest = max(map(_depth, meant))
    meant = [each for each in meant if _depth(each) == furthest]
    others = dict.fromkeys(each["msg"].removeprefix("Input should be ") for each in meant[1:])
    return {**meant[0], "msg": ", or ".join((meant[0]["msg"], *others))}


def _depth(fault: Mapping[str, Any]) -> int:
    """How many keys lead to a fault; some name the last one beside their path."""
    return len(fault["loc"]) + ("key" in fault.get("ctx", {}))


def suggestion(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest spelling, or else what there is."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.55)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(known)}." if known else "There is none to choose from."
