"""A whole suite that is killed at random moments and repeated ends as if nothing had happened."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import dareps
from dareps.suite.store import Store
from tests.cli._ask import command, environment
from tests.integration._suites import TINY, timeless, write_suite

LONGEST = 60.0
"""Seconds until a suite that was started again must have got somewhere."""


def storm(path: Path, kills: int, draws: np.random.Generator) -> int:
    """Start a suite and kill it, until it has been killed that often or has ended; returns the kills."""
    for done in range(kills):
        with started(path) as child:
            # Half of the kills fall into what a start takes, the others into work: from the first trace of it on.
            if draws.random() < 0.5:
                wait_for_work(path.parent / path.stem, child)
                time.sleep(float(draws.uniform(0, 1)))
            else:
                time.sleep(float(draws.uniform(0, 5)))
            child.kill()
            child.wait()
            if child.returncode == 0:
                return done
    return kills


def started(path: Path) -> subprocess.Popen[bytes]:
    words = command("bench", path, "--out", path.parent, "--workers", 1)
    return subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_work(folder: Path, child: subprocess.Popen[bytes]) -> None:
    """Until a checkpoint or a model is written that was not there before."""
    before, deadline = traces(folder), time.monotonic() + LONGEST
    while traces(folder) == before and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def traces(folder: Path) -> set[tuple[str, int]]:
    found = set()
    for file in folder.glob("*/**/*.safetensors"):
        with suppress(FileNotFoundError):  # It was replaced or removed meanwhile.
            found.add((str(file), file.stat().st_mtime_ns))
    return found


def ends_like(finished: Path, tmp_path: Path, kills: int, draws: np.random.Generator) -> int:
    """Kill a suite up to so often, repeat it to its end, compare; returns the kills."""
    path = write_suite(tmp_path, TINY)
    folder = tmp_path / path.stem
    killed = storm(path, kills, draws)
    before = {own.identity.key: own.seconds for own in Store(folder).outcomes()}
    done = subprocess.run(
        command("bench", path, "--out", tmp_path, "--workers", 1), env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert timeless(folder / "runs.csv") == timeless(finished / "runs.csv")
    kept = Store(folder).outcomes()
    assert len(kept) == len({own.identity.key for own in kept}) == 4
    assert before.items() <= {own.identity.key: own.seconds for own in kept}.items(), "a stored run was run again"
    whole = {own.identity.key: own for own in Store(finished).outcomes()}
    for own in kept:
        assert own.curves == whole[own.identity.key].curves
    assert not list(folder.glob("checkpoints/*.safetensors"))
    for own in kept:
        if own.folder:
            dareps.load(folder / own.folder)
    return killed


def test_three_kills_change_nothing(finished: Path, tmp_path: Path):
    assert ends_like(finished, tmp_path, 3, np.random.default_rng(2)) > 0


@pytest.mark.slow
def test_twenty_kills_change_nothing(finished: Path, tmp_path: Path):
    """A suite that ends before it was killed that often is begun anew in another folder."""
    draws, kills, rounds = np.random.default_rng(), 0, iter(range(20))
    while kills < 20:
        folder = tmp_path / str(next(rounds))
        folder.mkdir()
        kills += ends_like(finished, folder, 20 - kills, draws)
