"""A bounded one-way channel to a child process, for senders that must never wait."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

CAPACITY = 30_000
RESERVE = 1_000
_BATCH = 512
_LINGER = 0.2
_FAREWELL = {"kind": "close"}


class Channel:
    """Sends events as JSON lines to a process's input and collects the warnings that it writes to its output.

    `send` puts an event in a queue and returns; one thread writes, another reads. The process starts with the first
    event. Once it is gone nothing is sent any more; a full queue loses events. Either gives one warning.

    Args:
        command: Command line of the process, which reads its input to the end and then exits.
        environment: Its environment variables.
        capacity: Waiting events above which those marked `droppable` are lost; the others have `RESERVE` more places.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], capacity: int = CAPACITY) -> None:
        self._command, self._environment, self._capacity = list(command), dict(environment), capacity
        self._waiting: deque[dict[str, Any]] = deque()
        self._changed = threading.Condition()
        self._warnings: dict[str, None] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: threading.Thread | None = None
        self._closing = self._broken = self._killed = False

    @property
    def pid(self) -> int | None:
        """The child's process id once it runs."""
        return self._process.pid if self._process else None

    def send(self, event: dict[str, Any], *, droppable: bool = False) -> None:
        """Queue an event; takes microseconds and never raises."""
        with self._changed:
            if self._closing or self._broken:
                return
            if len(self._waiting) >= self._capacity + (0 if droppable else RESERVE):
                self._warn("W&B does not keep up with training; some of its values were left out.")
                return
            self._waiting.append(event)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="dareps-tracking", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    def close(self, timeout: float) -> list[str]:
        """Deliver what is queued and wait for the process to end, at most `timeout` seconds; returns all warnings."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._writer is not None and not self._join(self._writer, deadline):
            self._warn(f"W&B did not finish within {timeout:g} s; the rest of its values was left out.")
            self._kill()
        return list(self._warnings)

    def _join(self, writer: threading.Thread, deadline: float) -> bool:
        """Wait for the writer, which ends after the process."""
        writer.join(max(0.0, deadline - time.monotonic()))
        return not writer.is_alive()

    def _kill(self) -> None:
        self._broken = self._killed = True
        if self._process is not None:
            self._process.kill()
        if self._writer is not None:
            self._writer.join(1.0)

    def _warn(self, text: str) -> None:
        self._warnings.setdefault(text)

    def _write(self) -> None:
        """The writing thread: start the process, send until closed, wait for its end."""
        try:
            self._process = process = self._spawn()
        except OSError as error:
            self._give_up(f"W&B could not be started ({error}); nothing is recorded there.")
            return
        assert process.stdin is not None
        reader = threading.Thread(target=self._read, args=(process,), name="dareps-tracking-read", daemon=True)
        reader.start()
        with suppress(OSError):  # The process is gone, which the reader notices.
            while batch := self._take():
                _write_all(process.stdin.fileno(), batch)
            _write_all(process.stdin.fileno(), [_FAREWELL])
        process.stdin.close()
        reader.join()

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start the process in a group of its own: an interrupt from the keyboard is for training alone.

        Unbuffered, so that a thread that is stuck in a write holds no lock which the interpreter needs when it exits.
        """
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        return subprocess.Popen(
            self._command,
            bufsize=0,
            stdin=pipe,
            stdout=pipe,
            stderr=nowhere,
            env=self._environment,
            process_group=0,
        )

    def _take(self) -> list[dict[str, Any]]:
        """The next batch; empty when all is sent and the channel is closing.

        Lingers a moment before taking, so that a busy trainer wakes this thread a few times a second, not every step.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing or self._broken)
            if not self._closing:
                self._changed.wait_for(lambda: self._closing or len(self._waiting) >= _BATCH, _LINGER)
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """The reading thread: collect warnings until the process ends, and notice when it ends early."""
        assert process.stdout is not None
        explained = False
        for line in process.stdout:
            self._warn(_text(line))
            explained = True
        status = process.wait()
        process.stdout.close()
        if status and not explained and not self._killed:
            ended = f"by signal {-status}" if status < 0 else f"with status {status}"
            self._warn(f"W&B's process ended {ended}; nothing more is recorded there.")
        self._give_up()

    def _give_up(self, warning: str = "") -> None:
        """Send nothing any more."""
        if warning:
            self._warn(warning)
        with self._changed:
            self._broken = True
            self._waiting.clear()
            self._changed.notify_all()


def _text(line: bytes) -> str:
    try:
        return str(json.loads(line)["warning"])
    except (ValueError, KeyError, TypeError):
        return line.decode(errors="replace").strip()


def _write_all(descriptor: int, events: Sequence[dict[str, Any]]) -> None:
    data = memoryview("".join(json.dumps(event, default=str) + "\n" for event in events).encode())
    while data:
        data = data[os.write(descriptor, data) :]
