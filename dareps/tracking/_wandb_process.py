"""The process that owns wandb: events come in as JSON lines, warnings go out as JSON lines.

Run as a file; it needs the standard library and wandb alone, so it starts fast and shares nothing with training.
A run that wandb fails on is dropped and the others go on; after three failures in a row the process ends.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import struct
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

PATIENCE = 3
_STOPPED = 255
_BLOCK, _HEAD, _FILE_HEAD = 32768, 7, 7
_FULL, _FIRST, _LAST = 1, 2, 4
_TAIL = 5
# What costs time, disk or privacy and says nothing about an experiment whose configuration is complete.
_QUIET = {
    "console": "off",
    "silent": True,
    "disable_git": True,
    "disable_code": True,
    "save_code": False,
    "disable_job_creation": True,
    "sagemaker_disable": True,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}


class Runs:
    """The open runs of one folder.

    Args:
        task: `folder`, `mode`, and `run_id` where a sweep's agent has named the only run.
        output: Where warnings go.
    """

    def __init__(self, task: dict[str, str], output: TextIO) -> None:
        self._folder, self._mode, self._agent_id = Path(task["folder"]), task["mode"], task["run_id"]
        self._output = output
        self._open: dict[str, Any] = {}
        self._rows: dict[str, tuple[int, dict[str, float]]] = {}
        self._files: list[Path] = []
        self._warned: set[str] = set()
        self.failures = 0

    def prepare(self) -> None:
        """Make wandb's folder; where it cannot be written, wandb itself would silently write somewhere else."""
        folder = self._folder / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")

    def handle(self, event: dict[str, Any]) -> None:
        """Act on one event; a failure drops its run."""
        try:
            getattr(self, f"_{event['kind']}")(event)
        except Exception as error:
            self.failures += 1
            self._open.pop(event["key"], None)
            self._rows.pop(event["key"], None)
            self.warn("failure", f"W&B failed on {event['kind']} ({_describe(error)}); training is not affected.")

    def warn(self, kind: str, text: str) -> None:
        """Report a fault, once per kind."""
        if kind not in self._warned:
            self._warned.add(kind)
            self._output.write(json.dumps({"warning": text}) + "\n")
            self._output.flush()

    def close(self) -> None:
        """End runs that are still open as stopped, wait for wandb, and look whether the files are whole."""
        import wandb

        for key in list(self._open):
            self.handle({"kind": "end", "key": key})
        wandb.teardown()
        broken = [file for file in self._files if not _whole(file)]
        if broken:
            text = f"W&B could not write all of {broken[0]} and {len(broken) - 1} more files. Is the disk full?"
            self.warn("failure", text)

    def _start(self, event: dict[str, Any]) -> None:
        if event["key"] in self._open:
            self._end(event)
        self._open[event["key"]] = run = self._init(event)
        self._files.append(Path(run.settings.sync_file))

    def _log(self, event: dict[str, Any]) -> None:
        """Values of one step, from several events, become one row."""
        key, step = event["key"], event["step"]
        if key not in self._open:
            return
        if key in self._rows and self._rows[key][0] != step:
            self._flush(key)
        self._rows.setdefault(key, (step, {}))[1].update(event["values"])

    def _finish(self, event: dict[str, Any]) -> None:
        if event["key"] in self._open:
            self._flush(event["key"])
            self._open[event["key"]].summary.update(event["summary"])
            self._end(event, code=int(event["failed"]))
            self.failures = 0

    def _end(self, event: dict[str, Any], code: int = _STOPPED) -> None:
        self._flush(event["key"])
        self._open.pop(event["key"]).finish(exit_code=code)

    def _suite(self, event: dict[str, Any]) -> None:
        import wandb

        self._start(event)
        run = self._open[event["key"]]
        columns, rows = _table(Path(event["files"]["leaderboard"]))
        run.log({"leaderboard": wandb.Table(columns=columns, data=rows, allow_mixed_types=True)})
        artifact = wandb.Artifact(f"results-{run.id}", type="results")
        for file in event["files"].values():
            artifact.add_file(file, skip_cache=True)
        run.log_artifact(artifact)
        self._finish({**event, "summary": {}, "failed": False})

    def _flush(self, key: str) -> None:
        if key in self._rows:
            step, values = self._rows.pop(key)
            self._open[key].log(values, step=step)

    def _init(self, event: dict[str, Any]) -> Any:
        """Open a run; when the server cannot be used, this one and all later ones are kept offline.

        While others are open the service cannot be ended, and this run alone is lost to wandb.
        """
        import wandb

        try:
            return wandb.init(config=event["config"], settings=self._settings(event))
        except Exception as error:
            if self._mode != "online":
                raise
            self._mode = "offline"
            text = f"W&B cannot be reached ({_describe(error)}); runs are kept in {self._folder / 'wandb'}"
            self.warn("offline", f"{text} for wandb sync.")
            if not self._open:  # wandb's service holds the failed run's id until it is ended.
                wandb.teardown()
            return wandb.init(config=event["config"], settings=self._settings(event))

    def _settings(self, event: dict[str, Any]) -> Any:
        import wandb

        run_id = self._agent_id or event["id"]
        self._await_new_second(run_id)
        quiet = {name: value for name, value in _QUIET.items() if name in wandb.Settings.model_fields}
        return wandb.Settings(
            mode=self._mode,
            root_dir=str(self._folder),
            project=os.environ.get("WANDB_PROJECT") or "dareps",
            run_id=run_id,
            run_name=event["name"][:128],
            run_group=event["group"][:128] or None,
            run_job_type=event["job_type"][:64] or None,
            run_tags=[tag[:64] for tag in event["tags"] if tag],
            resume="allow",
            reinit="create_new",
            **quiet,
        )

    def _await_new_second(self, run_id: str) -> None:
        """Two parts of one run need folders of their own, which wandb names by the second."""
        while any((self._folder / "wandb").glob(f"*run-{time.strftime('%Y%m%d_%H%M%S')}-{run_id}")):
            time.sleep(0.05)


def _describe(error: Exception) -> str:
    first = (str(error).strip() or "no further message").splitlines()[0]
    return f"{type(error).__name__}: {first}"


def _table(file: Path) -> tuple[list[Any], list[Any]]:
    """A CSV file's head and rows, numbers as numbers and empty cells as None."""
    with file.open(newline="", encoding="utf-8") as lines:
        head, *rows = csv.reader(lines)
    return head, [[_cell(cell) for cell in row] for row in rows]


def _cell(text: str) -> str | float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _whole(file: Path) -> bool:
    """True when wandb's file ends with the record that ends a run; on a full disk wandb cuts it without a word."""
    from wandb.proto import wandb_internal_pb2

    messages: Any = wandb_internal_pb2
    try:
        with file.open("rb") as stream:
            last = deque(_records(stream), maxlen=_TAIL)
        return any(messages.Record.FromString(record).HasField("exit") for record in last)
    except Exception:
        return False


def _records(stream: BinaryIO) -> Iterator[bytes]:
    """The records of a file in LevelDB's log framing; raises when it ends in the middle of one."""
    stream.read(_FILE_HEAD)
    record = b""
    while True:
        left = _BLOCK - stream.tell() % _BLOCK
        if left < _HEAD:
            stream.read(left)
        head = stream.read(_HEAD)
        if not head:
            return
        _, length, kind = struct.unpack("<IHB", head)
        part = stream.read(length)
        if len(part) < length:
            raise EOFError
        record = part if kind in (_FULL, _FIRST) else record + part
        if kind in (_FULL, _LAST):
            yield record


def _own_pipes() -> tuple[BinaryIO, TextIO]:
    """Take the pipes for this process alone.

    wandb's service would inherit them and hold them open, and what anyone prints would mix with the warnings.
    """
    events, warnings = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return os.fdopen(events, "rb"), os.fdopen(warnings, "w", encoding="utf-8")


def _serve(runs: Runs, events: BinaryIO) -> None:
    """Act on events until the sender says goodbye or is gone, or wandb has failed too often."""
    for line in events:
        if not line.endswith(b"\n"):  # The sender was killed in the middle of a line.
            return
        event = json.loads(line)
        if event["kind"] == "close" or runs.failures >= PATIENCE:
            return
        runs.handle(event)


def main() -> int:
    """Serve one sender; the exit status is 1 after a fault."""
    events, warnings = _own_pipes()
    runs = Runs(json.loads(sys.argv[1]), warnings)
    try:
        runs.prepare()
        _serve(runs, events)
        runs.close()
    except Exception as error:
        runs.warn("failure", f"W&B failed ({_describe(error)}); training is not affected.")
        return 1
    return 0


if __name__ == "__main__":
    status = 1
    with contextlib.suppress(BaseException):
        status = main()
    os._exit(status)  # wandb's own exit handlers would wait for a service that may be gone.
