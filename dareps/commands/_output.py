"""What people read: plain lines for texts, rich tables for figures, one line for every error."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from dareps.errors import DarepsError
from dareps.plugin import broken

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 200
"""Columns of a table that goes to a file or another program, so that nothing is cut there."""
MANY = 20
"""Names that a line lists in full."""


def say(text: str = "") -> None:
    """A line on standard output, exactly as given."""
    typer.echo(text)


def note(text: str) -> None:
    """A line on standard error, exactly as given."""
    typer.echo(text, err=True)


def warn(text: str) -> None:
    """A warning on standard error."""
    note(f"warning: {text}")


def console(*, stderr: bool = False) -> Console:
    """A rich console that takes texts literally."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def waited(share: float) -> str:
    """How much of the time of training steps was waiting for data, behind a duration; nothing where it is nothing."""
    return f", {share:.1%} of training waiting for data" if share > 0 else ""


def duration(seconds: float) -> str:
    """`45 s`, `3 min 05 s` or `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def enumerated(names: Sequence[str]) -> str:
    """All names, or the first three and the last where there are more than twenty."""
    if len(names) <= MANY:
        return ", ".join(names)
    return f"{', '.join(names[:3])} ... {names[-1]} ({len(names)} in all)"


def columns(rows: Iterable[tuple[str, ...]], indent: str = "") -> Iterator[str]:
    """Rows as lines of aligned columns, the last one ragged."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield f"{indent}{'  '.join(cells)}".rstrip()


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage inside: what imports make stays, and looking it through takes a tenth of a short command."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def guarded() -> Iterator[None]:
    """Turn every error into one line on standard error and an exit code."""
    try:
        yield
    except DarepsError as error:
        note(f"error: {error}")
        raise typer.Exit(error.exit_code) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):
            raise  # A mistake in the use of an option, which typer words itself.
        if os.environ.get("DAREPS_DEBUG"):
            traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        note(f"error: this should not have happened ({reason}). Set DAREPS_DEBUG=1 to see the whole traceback.")
        raise typer.Exit(1) from None
    finally:
        for fault in broken():
            warn(str(fault))
