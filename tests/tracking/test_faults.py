"""Whatever happens to wandb, training goes on at its pace and one warning is given."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dareps.tracking import RunInfo, WandbTracker
from dareps.tracking.channel import CAPACITY, RESERVE

from .offline import read_folder

pytestmark = pytest.mark.serial

PROMPT = 0.1
"""Seconds that the slowest of many calls may take."""


@pytest.fixture(autouse=True)
def _what_tests_hold_is_no_garbage():
    """Python's collector looks through all that thousands of tests hold, which takes longer than a call may."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def info(key: str = "a") -> RunInfo:
    return RunInfo(key, f"run {key}", "quick", "dann", ("a:b",), {"seed": 0})


def log(tracker: WandbTracker, steps: int, key: str = "a") -> float:
    """Log some steps; returns the seconds that the slowest call took."""
    slowest = 0.0
    for step in range(steps):
        begun = time.perf_counter()
        tracker.log(key, step, {"loss/task": 1 / (step + 1), "loss/align": 2.0})
        slowest = max(slowest, time.perf_counter() - begun)
    return slowest


def close(tracker: WandbTracker, timeout: float = 30.0) -> list[str]:
    begun = time.monotonic()
    warnings = tracker.close(timeout)
    assert time.monotonic() - begun < timeout + 2
    assert tracker.pid is None or not alive(tracker.pid)
    return warnings


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children(pid: int | None) -> list[int]:
    """Processes that any thread of this one has started."""
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def running(folder: Path) -> WandbTracker:
    """A tracker in the middle of its first run."""
    tracker = WandbTracker(folder)
    tracker.start(info())
    tracker.log("a", 0, {"loss/task": 1.0})
    wait_for(lambda: list(folder.glob("wandb/offline-run-*/*.wandb")))
    return tracker


def fake_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put a package called wandb in the child's way."""
    package = tmp_path / "fake" / "wandb"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


def test_the_process_is_killed(folder: Path):
    tracker = running(folder)
    assert tracker.pid is not None
    service = children(tracker.pid)
    os.kill(tracker.pid, signal.SIGKILL)
    assert log(tracker, 2000) < PROMPT
    tracker.finish("a", {})
    (warning,) = close(tracker)
    assert "ended by signal 9" in warning
    assert service
    wait_for(lambda: not any(map(alive, service)))
    (run,) = read_folder(folder)
    assert run.exit_code != 0


TRAINING = """
import sys, time
from pathlib import Path
from dareps.tracking import RunInfo, WandbTracker
tracker = WandbTracker(Path(sys.argv[1]))
tracker.start(RunInfo("a", "run a"))
for step in range(1000):
    tracker.log("a", step, {"loss/task": float(step)})
    time.sleep(0.01)
"""


def test_training_itself_is_killed(folder: Path):
    """What was logged until a moment before the kill is on disk, and the tracker's processes are gone."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", TRAINING, str(folder)], env=environment) as training:
        wait_for(lambda: list(folder.glob("wandb/offline-run-*/*.wandb")))
        time.sleep(0.5)
        (tracker,) = children(training.pid)
        training.kill()
    wait_for(lambda: not alive(tracker))
    (run,) = read_folder(folder)
    assert run.exit_code == 255
    assert len(run.history) >= 20
    assert run.history == {step: {"loss/task": float(step)} for step in range(len(run.history))}


def test_the_service_of_wandb_is_killed(folder: Path):
    tracker = running(folder)
    (service,) = children(tracker.pid)
    os.kill(service, signal.SIGKILL)
    assert log(tracker, 2000) < PROMPT
    tracker.finish("a", {})
    for key in "bcde":
        tracker.start(info(key))
        tracker.finish(key, {})
    (warning,) = close(tracker)
    assert "training is not affected" in warning


def test_the_process_hangs(folder: Path):
    tracker = running(folder)
    assert tracker.pid is not None
    service = children(tracker.pid)
    os.kill(tracker.pid, signal.SIGSTOP)
    assert log(tracker, CAPACITY + 2 * RESERVE) < PROMPT
    tracker.finish("a", {})
    slow, late = close(tracker, timeout=0.5)
    assert "does not keep up" in slow
    assert "did not finish within 0.5 s" in late
    wait_for(lambda: not any(map(alive, service)))


def test_the_service_of_wandb_hangs(folder: Path):
    tracker = running(folder)
    (service,) = children(tracker.pid)
    os.kill(service, signal.SIGSTOP)
    try:
        assert log(tracker, 2000) < PROMPT
        tracker.finish("a", {})
        (warning,) = close(tracker, timeout=2)
    finally:
        os.kill(service, signal.SIGCONT)
    assert "did not finish within 2 s" in warning
    wait_for(lambda: not alive(service))


def test_the_disk_is_full(folder: Path):
    tracker = WandbTracker(folder)
    tracker.start(info())
    wait_for(lambda: tracker.pid)
    assert tracker.pid is not None
    resource.prlimit(tracker.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    assert log(tracker, 2000) < PROMPT
    tracker.finish("a", {})
    (warning,) = close(tracker)
    assert "Is the disk full?" in warning


@pytest.mark.parametrize("place", ["runs", "runs/wandb"])
def test_the_folder_cannot_be_written(folder: Path, place: str):
    file = folder.parent / place
    file.parent.mkdir(exist_ok=True)
    file.write_text("not a folder")
    tracker = WandbTracker(folder)
    tracker.start(info())
    assert log(tracker, 100) < PROMPT
    (warning,) = close(tracker)
    assert str(folder) in warning


REFUSES = """
class Settings:
    model_fields = ()
    def __init__(self, **_): pass
def init(**_): raise RuntimeError("refused")
def teardown(): pass
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ImportError('no such library')", "no such library"),
        (REFUSES, "refused"),
        ("import sys; sys.exit(7)", "ended with status"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal 11"),
    ],
)
def test_wandb_itself_is_broken(code: str, told: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_wandb(tmp_path, monkeypatch, code)
    tracker = WandbTracker(folder)
    for key in "abcde":
        tracker.start(info(key))
        assert log(tracker, 100, key) < PROMPT
        tracker.finish(key, {})
    (warning,) = close(tracker)
    assert told in warning


def test_opening_a_run_hangs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_wandb(tmp_path, monkeypatch, "import time\ntime.sleep(60)")
    tracker = WandbTracker(folder)
    tracker.start(info())
    assert log(tracker, 2000) < PROMPT
    (warning,) = close(tracker, timeout=1)
    assert "did not finish within 1 s" in warning


def test_the_server_cannot_be_reached(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    tracker = WandbTracker(folder)
    for key in "ab":
        tracker.start(info(key))
        log(tracker, 10, key)
        tracker.finish(key, {})
    (warning,) = close(tracker)
    assert "wandb sync" in warning
    assert {run.name: len(run.history) for run in read_folder(folder)} == {"run a": 10, "run b": 10}


def test_the_interpreter_cannot_be_started(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.executable", str(folder / "missing"))
    tracker = WandbTracker(folder)
    tracker.start(info())
    (warning,) = close(tracker)
    assert "could not be started" in warning


def test_one_bad_run_leaves_the_others_alone(folder: Path):
    tracker = WandbTracker(folder)
    tracker.start(RunInfo("bad", "bad", config={1: object()}))  # type: ignore[dict-item]
    tracker.finish("bad", {"x": object()})
    tracker.suite(RunInfo("suite", "suite"), folder / "missing.csv", None)
    tracker.start(info())
    log(tracker, 10)
    tracker.finish("a", {})
    (warning,) = close(tracker)
    assert "missing.csv" in warning
    assert [len(run.history) for run in read_folder(folder) if run.name == "run a"] == [10]


def test_closing_twice_and_using_a_closed_tracker_is_harmless(folder: Path):
    tracker = WandbTracker(folder)
    assert tracker.close() == []
    tracker.start(info())
    assert log(tracker, 10) < PROMPT
    assert tracker.close() == []
    assert tracker.pid is None
    assert not list(folder.glob("wandb/offline-run-*"))
