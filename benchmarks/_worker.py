"""A child process that answers calls, one JSON line each, so that alternatives stay apart and take turns.

Started by `benchmarks._measure.Worker`; needs nothing but the standard library and what the called function imports.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import resource
import sys
import traceback
from collections.abc import Callable
from importlib import metadata
from typing import Any, TextIO


def main() -> None:
    """Answer calls from standard input until it closes."""
    limit = int(os.environ["BENCHMARK_MEMORY"])
    # CUDA builds reserve far more address space than they use, so the limit is on writable memory.
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with _replies() as replies:
        for line in sys.stdin:
            replies.write(json.dumps(_answer(json.loads(line))) + "\n")
            replies.flush()


def versions(names: list[str]) -> dict[str, str]:
    """Versions of Python and of those of the named distributions that are installed here."""
    found = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _replies() -> TextIO:
    """The standard output that this process was given; what libraries print goes to standard error instead."""
    replies = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(replies, "w", encoding="utf-8")


def _answer(call: dict[str, Any]) -> dict[str, Any]:
    """The result of one call, or what went wrong."""
    try:
        return {"result": _function(call["function"])(*call["arguments"])}
    except Exception as error:
        # Any fault of an alternative is its result.
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def _function(name: str) -> Callable[..., Any]:
    """The function `module:name`, with torch held to the threads of this process where it is in use."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    return found


if __name__ == "__main__":
    main()
