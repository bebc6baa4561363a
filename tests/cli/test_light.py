"""Help, lists, pages and mistakes answer at once, without the libraries that take seconds to import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli._ask import command, environment

HEAVY = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "wandb", "torchvision", "safetensors")
LIGHT = [
    (["--help"], 0),
    (["--version"], 0),
    (["train", "--help"], 0),
    (["data", "list"], 0),
    (["list"], 0),
    (["list", "alignment"], 0),
    (["show", "dann"], 0),
    (["show", "linear_svm"], 0),
    (["show", "mmd"], 0),
    (["show", "digits8"], 0),
    (["show", "dnan"], 2),
    (["list", "alignments"], 2),
    (["train", "dnan"], 2),
    (["train", "dann", "encoder.widht=3"], 2),
    (["train", "dann", "phases.0.steps=-1"], 2),
    (["train", "dann", "phases.0.steps=many"], 2),
    (["train", "source_only", "align=[mmd]"], 2),
    (["train", "dann", "--split", "digits8/fonts:fonts"], 2),
    (["train", "dann", "--split", "digits9/fonts:scans"], 2),
    (["train", "dann", "--split", "digits8/fonts:skans"], 2),
    (["train", "dann", "--plugin", "absent.py"], 2),
    (["train", "dann", "--sedd", "3"], 2),
    (["train"], 2),
    (["bench", "quik"], 2),
    (["data", "get", "digts"], 2),
    (["report", "absent"], 2),
    (["predict", "absent", "absent.npy"], 2),
]
REFUSE = """
import sys
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise AssertionError("heavy import of " + name)
sys.meta_path.insert(0, Guard())
from dareps.cli import app
"""
DRY = f"{REFUSE}\napp(['train', 'dann', '--dry-run'], prog_name='dareps')"
GUARD = f"""
HEAVY = {HEAVY!r}
{REFUSE}
codes = []
for words in {[words for words, _ in LIGHT]!r}:
    try:
        app(words, prog_name="dareps")
    except SystemExit as end:
        codes.append(end.code)
    print("---", file=sys.stderr)
print("codes", codes)
"""


def test_nothing_heavy_is_imported(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", GUARD], env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = dict(zip([" ".join(words) for words, _ in LIGHT], done.stderr.split("---\n"), strict=False))
    assert done.stdout.splitlines()[-1] == f"codes {[code for _, code in LIGHT]}", answers
    assert "heavy import" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_needs_no_torch(cache: Path, tmp_path: Path):
    """It reads the data, whose checksum is part of the key, but builds nothing."""
    code = f"HEAVY = ('torch', 'torchvision', 'wandb')\n{DRY}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(DAREPS_CACHE=str(cache)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "# key: " in done.stdout.splitlines()[-1]


@pytest.mark.serial
@pytest.mark.parametrize("words", [["--help"], ["list"], ["show", "dann"], ["train", "dann", "encoder.widht=3"]])
def test_the_answer_takes_less_than_half_a_second(words: list[str], tmp_path: Path):
    """Or 4.5 times what the libraries of commands alone take, where those make half a second too short to tell."""
    libraries = [sys.executable, "-c", "import typer, pydantic, yaml"]
    # In turns, since the clock of a shared machine changes within a test.
    times = [(_seconds(command(*words), tmp_path), _seconds(libraries, tmp_path)) for _ in range(6)]
    best, least = map(min, zip(*times, strict=True))
    assert best < max(0.5, 4.5 * least)


def _seconds(words: list[str], folder: Path) -> float:
    """Of the processor, since others on the machine have their share of the clock.

    As an installed copy runs: compiled once, which some containers forbid by a variable.
    """
    compiled = environment(PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=str(folder / "compiled"))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, env=compiled, cwd=folder, **quiet) as process:
        used = os.wait4(process.pid, 0)[2]
    return used.ru_utime + used.ru_stime
