"""Every error that dareps raises on purpose: where, what, got, fix, in one line a person can act on."""

from __future__ import annotations

from typing import ClassVar, Final


class _Nothing:
    """Marks an error that has no offending value to show."""


NOTHING: Final = _Nothing()
_LONGEST = 200


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
