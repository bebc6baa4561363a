"""A run that is stopped or killed anywhere ends as an uninterrupted one, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dareps.engine import checkpoint
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped
from tests.engine._make import CPU, NOISY, SHORT, outcome_of, run_of

TWO_PHASES = [
    {"streams": {"source": "labelled"}, "steps": 40, "align": False},
    {
        "streams": {"source": "labelled", "target": "unlabelled"},
        "steps": 60,
        "optimizer": "sgd",
        "schedule": "annealing",
    },
]
OVERRIDES = (
    ("phases", TWO_PHASES),
    *NOISY,
    ("normalise", "per_domain"),
    ("engine.evaluations", 4),
    ("engine.flush", 7),
    ("engine.checkpoint_seconds", 0.0),
    ("data.augment", ["crop"]),
)


def _same(one, other, first: Path, second: Path):
    assert one.status == other.status == "ok"
    assert one.curves == other.curves
    assert one.selected == other.selected
    assert one.scatter == other.scatter
    ours, _ = checkpoint.load(first / one.folder / "model.safetensors")
    theirs, _ = checkpoint.load(second / other.folder / "model.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("stops", [(1,), (3, 5), (6,), (8, 7)])
def test_a_stopped_run_continues_exactly(stops, tmp_path):
    run = run_of("dann", OVERRIDES)
    whole = outcome_of(run, tmp_path / "whole")
    for number in stops:
        calls = iter(range(1, 1000))
        with pytest.raises(Stopped):
            execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda n=number, c=calls: next(c) >= n))
    _same(whole, outcome_of(run, tmp_path / "parts"), tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_stopped_convolutional_run_continues_exactly(optimizer, tmp_path):
    network = {"name": "digit_cnn", "padding": 2, "channels": [4, 6], "width": 8}
    run = run_of("dann", (*SHORT, ("encoder", network), ("phases.0.optimizer", optimizer)))
    whole = outcome_of(run, tmp_path / "whole")
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: True))
    _same(whole, outcome_of(run, tmp_path / "parts"), tmp_path / "whole", tmp_path / "parts")


def test_a_stopped_stack_continues_exactly(tmp_path):
    runs = [run_of("dan", OVERRIDES, seed) for seed in (0, 1)]
    whole = execute(runs, Surroundings(tmp_path / "whole", CPU))
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute(runs, Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) > 6))
    for one, other in zip(whole, execute(runs, Surroundings(tmp_path / "parts", CPU)), strict=True):
        _same(one, other, tmp_path / "whole", tmp_path / "parts")


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from pathlib import Path
from tests.engine._make import outcome_of, run_of
from tests.engine.test_resume import OVERRIDES
print("ready", flush=True)
outcome_of(run_of("dann", (*OVERRIDES, ("phases.1.steps", 400))), Path(sys.argv[1]))
"""


def _killed_at(folder: Path, writes: int) -> bool:
    """Start the run in a child and SIGKILL it once its checkpoint has been written so often; false if it ended."""
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], stdout=subprocess.PIPE)
    seen, last, deadline = 0, 0, time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        stamps = [path.stat().st_mtime_ns for path in folder.glob("checkpoints/*.safetensors")]
        if stamps and stamps[0] != last:
            seen, last = seen + 1, stamps[0]
        if seen >= writes:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            return True
    assert child.wait() == 0
    return False


def test_a_killed_run_continues_exactly(tmp_path):
    run = run_of("dann", (*OVERRIDES, ("phases.1.steps", 400)))
    whole = outcome_of(run, tmp_path / "whole")
    killed = [_killed_at(tmp_path / "parts", writes) for writes in (2, 12)]
    assert any(killed)
    _same(whole, outcome_of(run, tmp_path / "parts"), tmp_path / "whole", tmp_path / "parts")


@pytest.mark.slow
def test_a_storm_of_kills_changes_nothing(tmp_path):
    run = run_of("dann", (*OVERRIDES, ("phases.1.steps", 400)))
    whole = outcome_of(run, tmp_path / "whole")
    killed = [_killed_at(tmp_path / "parts", writes) for writes in (1, 1, 2, 3, 5, 8, 13, 3, 2, 1)]
    assert sum(killed) >= 3
    _same(whole, outcome_of(run, tmp_path / "parts"), tmp_path / "whole", tmp_path / "parts")


def test_a_damaged_checkpoint_is_reported_and_the_run_starts_afresh(tmp_path):
    run = run_of("source_only", (*SHORT, ("engine.checkpoint_seconds", 0.0)))
    whole = outcome_of(run, tmp_path / "whole")
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) > 0))
    (file,) = (tmp_path / "parts" / "checkpoints").glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 0xFF
    file.write_bytes(bytes(content))
    with pytest.warns(UserWarning, match="damaged"):
        again = outcome_of(run, tmp_path / "parts")
    _same(whole, again, tmp_path / "whole", tmp_path / "parts")
