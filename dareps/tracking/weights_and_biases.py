"""Runs on Weights & Biases, fed from here and written by a process of its own (see `_wandb_process.py`)."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dareps.tracking.account import Account, account
from dareps.tracking.channel import Channel
from dareps.tracking.tracker import NoTracker, RunInfo, Tracker

_PROGRAM = Path(__file__).with_name("_wandb_process.py")
_SWEEP = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH")


def make_tracker(folder: Path, *, single: bool = False) -> Tracker:
    """The tracker for runs whose results go to `folder`.

    Nothing is tracked when wandb is missing or disabled. Files lie in `folder/wandb`.

    Args:
        folder: The output folder of the suite or run.
        single: True when there is only one run, which then takes the identity that a W&B sweep's agent gives it.
    """
    found = account()
    return NoTracker() if found.mode == "disabled" else WandbTracker(folder, mode=found, single=single)


class WandbTracker:
    """Feeds runs to a process that owns wandb.

    Calls return at once whatever happens to that process. Several runs may be open at a time.

    Args:
        folder: The output folder; wandb's files lie in its `wandb` folder, whatever WANDB_DIR says.
        mode: wandb's mode, by default the one that `account` decides on.
        single: As in `make_tracker`.
    """

    def __init__(self, folder: Path, *, mode: Account | None = None, single: bool = False) -> None:
        self._folder = folder.absolute()
        agent = os.environ.get("WANDB_RUN_ID", "") if single else ""
        task = {"folder": str(self._folder), "mode": (mode or account()).mode, "run_id": agent}
        # -P keeps the program's own folder off the module path, where its neighbours could hide other modules.
        command = [sys.executable, "-P", str(_PROGRAM), json.dumps(task)]
        self._channel = Channel(command, _environment(self._folder, single=single))

    @property
    def pid(self) -> int | None:
        """Process id of the process that owns wandb, once it runs."""
        return self._channel.pid

    def start(self, run: RunInfo) -> None:
        """Open the run, or a further part of it."""
        self._channel.send({"kind": "start", **self._event(run)})

    def log(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        """Add values to the run's history at `step`."""
        self._channel.send({"kind": "log", "key": run_id, "step": step, "values": dict(values)}, droppable=True)

    def finish(self, run_id: str, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        """Set the run's summary and end it."""
        self._channel.send({"kind": "finish", "key": run_id, "summary": dict(summary), "failed": failed})

    def suite(self, info: RunInfo, leaderboard_csv: Path, report_html: Path | None) -> None:
        """Put the leaderboard, as a table, and both files, as an artifact, on a run of the suite's own."""
        files = {"leaderboard": str(leaderboard_csv.absolute())}
        if report_html is not None:
            files["report"] = str(report_html.absolute())
        self._channel.send({"kind": "suite", **self._event(info), "files": files})

    def close(self, timeout: float = 30.0) -> list[str]:
        """Deliver what is left and end the process, within `timeout` seconds; returns its warnings."""
        return self._channel.close(timeout)

    def _event(self, run: RunInfo) -> dict[str, Any]:
        return {**run.event(), "key": run.id, "id": wandb_id(self._folder, run.id)}


def wandb_id(folder: Path, key: str) -> str:
    """The W&B id of the run called `key` in `folder`: the same whenever that run goes on, another elsewhere.

    The folder is known by a random name that it keeps in `wandb/folder-id`, so that a folder may be moved, and equal
    paths on two machines do not mix their runs.
    """
    return hashlib.blake2b(f"{_folder_id(folder)}/{key}".encode(), digest_size=8).hexdigest()


def _folder_id(folder: Path) -> str:
    file = folder / "wandb" / "folder-id"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _create(file, secrets.token_hex(8))
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeError):  # Not writable: wandb will fail there too and say so, but ids stay defined.
        return str(folder.absolute())


def _create(file: Path, text: str) -> None:
    """Write the whole file at once; the first of two processes wins."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(text, encoding="ascii")
    try:
        file.hardlink_to(draft)
    except FileExistsError:
        pass
    except OSError:  # File systems without hard links.
        draft.replace(file)
    draft.unlink(missing_ok=True)


def _environment(folder: Path, *, single: bool) -> dict[str, str]:
    """The child's variables: quiet, not waiting for ever, staging in the folder, no sweep's identity for many runs."""
    kept = {name: value for name, value in os.environ.items() if single or name not in _SWEEP}
    patience = {"WANDB_INIT_TIMEOUT": "30", "WANDB_FINISH_TIMEOUT": "60"}
    defaults = {"WANDB_DATA_DIR": str(folder / "wandb" / "data"), **patience}
    return {**defaults, **kept, "WANDB_SILENT": "true"}
