"""Several processes on one output folder: single runs side by side, no run twice, no suite among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dareps.errors import StoreError
from dareps.suite.store import Store
from tests.cli._ask import ask, command, environment, refused

TRAIN = ("train", "source_only", "phases.0.steps=5", "--out")
HOLD = """
import sys, time
from pathlib import Path
from dareps.suite.store import Store

with Store(Path(sys.argv[1])).claimed(sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


def key_of(*words: object) -> str:
    return ask(*words, "--dry-run").stdout.split()[-1]


def test_runs_of_a_sweep_share_a_folder(tmp_path: Path, cache: Path):
    """What the agents of a W&B sweep do, the first of which make the folder and the results file at the same moment."""
    agents = [
        subprocess.Popen(
            command("train", "dann", f"align.0.weight={weight}", "phases.0.steps=5", "--out", tmp_path),
            env=environment(DAREPS_CACHE=str(cache)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for weight in (0.1, 0.2, 0.3)
    ]
    ends = [(agent.communicate(timeout=120)[1], agent.returncode) for agent in agents]
    assert [code for _, code in ends] == [0, 0, 0], ends
    store = Store(tmp_path / "train", create=False)
    found = [*store.outcomes(), *store.outcomes(stale=True)]
    weights = sorted(own.identity.config["method"]["align"][0]["weight"] for own in found)
    assert weights == [0.1, 0.2, 0.3]
    assert list((tmp_path / "train" / ".running").iterdir()) == []


def test_the_same_run_is_not_trained_twice_at_a_time(tmp_path: Path):
    store = Store(tmp_path / "train")
    with store.claimed(key_of(*TRAIN, tmp_path)):
        line = refused(*TRAIN, tmp_path)
        assert ask(*TRAIN, tmp_path, "--seed", 1).exit_code == 0
    assert "another process (pid " in line
    assert "is training this very run" in line
    assert "shows its results" in line
    assert ask(*TRAIN, tmp_path).exit_code == 0


def test_a_suite_has_its_folder_alone(tmp_path: Path):
    path = tmp_path / "train.yaml"
    path.write_text("splits: [digits8/fonts:scans]\nrecipes: [source_only]\nseeds: 1\n", encoding="utf-8")
    with Store(tmp_path / "train").claimed("0" * 32):
        assert "another process" in refused("bench", path, "--out", tmp_path)
    with Store(tmp_path / "train").exclusive():
        assert "is writing to this folder" in refused(*TRAIN, tmp_path)


def test_a_killed_process_holds_nothing(tmp_path: Path):
    key = "0" * 32
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), key], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(StoreError, match=rf"pid {holder.pid}\) is training this very run"),
        Store(tmp_path).claimed(key),
    ):
        pass
    holder.kill()
    holder.wait()
    with Store(tmp_path).claimed(key):
        pass
    with Store(tmp_path).exclusive():
        pass
    holder.stdout.close()
