"""Values that are in force for the calls inside a `with`, in the leanest form: a step enters several of them."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Scope(Generic[Value]):
    """Puts a value in force inside a `with`; scopes nest.

    Args:
        stack: The values in force, the innermost last.
        value: The value.
    """

    __slots__ = ("stack", "value")

    def __init__(self, stack: list[Value], value: Value) -> None:
        self.stack, self.value = stack, value

    def __enter__(self) -> None:
        self.stack.append(self.value)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stack.pop()
