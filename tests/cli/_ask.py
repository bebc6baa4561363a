"""Commands as a user gives them, in this process or in one of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from dareps.cli import app

ROOT = Path(__file__).resolve().parents[2]


def ask(*words: object) -> Result:
    """The command in this process: exit code, standard output and standard error."""
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    """The one line with which a user's mistake is refused."""
    result = ask(*words)
    assert result.exit_code == 2, (result.stdout, result.stderr)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]


def command(*words: object) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "dareps", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    """This process's variables, with the package in reach."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def spawned(*words: object, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, once it has ended."""
    return subprocess.run(
        command(*words), env=environment(**more), cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
