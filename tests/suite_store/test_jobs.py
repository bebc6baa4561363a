"""Worker processes end with their parent's patience."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dareps.suite.jobs import Event, Workers, _Worker


def test_an_interrupt_while_workers_wind_down_kills_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Iterator[Event]:
        raise KeyboardInterrupt

    context = multiprocessing.get_context("spawn")
    stuck = context.Process(target=time.sleep, args=(60,))
    stuck.start()
    workers = Workers(tmp_path, "cpu", 1, _alive=[_Worker(stuck, context.Pipe()[0])])
    monkeypatch.setattr(Workers, "_drained", interrupted)
    with pytest.raises(KeyboardInterrupt):
        workers.stop()
    stuck.join(10)
    assert stuck.exitcode == -9
