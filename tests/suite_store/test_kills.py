from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dareps.suite.store import FILE, Store

CHILD = """
import sys
from pathlib import Path
from tests.suite_store._make import outcome
from dareps.suite.store import Store

store = Store(Path(sys.argv[1]))
with store.exclusive():
    seed = len(store.finished())
    while True:
        own = outcome(seed=seed, values={"last": 0.5, "entropy": 0.6, "dev": 0.7}, folder="x" * 3000)
        store.save(own)
        print(own.identity.key, flush=True)
        seed += 1
"""


def _storm(folder: Path, kills: int, draws: np.random.Generator) -> set[str]:
    """Kill a saving child at random moments, start it again each time; returns the keys it reported as saved."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    reported: list[str] = []
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True, env=env)
        assert child.stdout is not None
        first = child.stdout.readline()
        assert first.endswith("\n"), "the child did not start again"
        lines = [first]
        reader = threading.Thread(target=lambda out=child.stdout, into=lines: into.extend(out))
        reader.start()
        time.sleep(float(draws.uniform(0, 0.08)))
        child.kill()
        child.wait()
        reader.join()
        reported += [line.strip() for line in lines if line.endswith("\n")]
    return _unique(reported)


def _unique(keys: list[str]) -> set[str]:
    assert len(keys) == len(set(keys)), "a finished run was saved again"
    return set(keys)


def _check(folder: Path, reported: set[str], kills: int) -> None:
    store = Store(folder)
    kept = store.outcomes()
    keys = {own.identity.key for own in kept}
    assert len(kept) == len(keys), "a run is doubled"
    assert reported <= keys, "a saved run is lost"
    # A kill between commit and report leaves at most one run that was not reported.
    assert len(keys - reported) <= kills
    assert sorted(own.identity.seed for own in kept) == list(range(len(kept)))
    assert all([row.selection for row in own.selected] == ["last", "entropy", "dev"] for own in kept)
    with sqlite3.connect(folder / FILE) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT COUNT(*) FROM selected").fetchone() == (3 * len(kept),)
    connection.close()


def test_nothing_is_lost_or_doubled_by_three_kills(tmp_path: Path) -> None:
    _check(tmp_path, _storm(tmp_path, 3, np.random.default_rng(0)), 3)


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_by_twenty_kills(tmp_path: Path) -> None:
    _check(tmp_path, _storm(tmp_path, 20, np.random.default_rng()), 20)
