from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from ._install import ROOT, Installed, must

RECIPES = sorted(path.stem for path in (ROOT / "configs" / "recipes").glob("*.yaml"))
KINDS = ["from_wheel", "from_sdist", "editable"]
LIMIT = 0.5
"""Seconds in which everything that needs no training answers."""


def processor_seconds() -> float:
    """Processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(params=KINDS)
def installed(request: pytest.FixtureRequest) -> Installed:
    found: Installed = request.getfixturevalue(request.param)
    return found


def test_the_installed_copy_is_the_one_that_runs(installed: Installed, tree: Path, empty: Path) -> None:
    """Guards the tests below: the tests' own environment has dareps as well."""
    place = installed.run("python", "-c", "import dareps; print(dareps.__file__)", folder=empty).stdout
    assert place.startswith((str(installed.environment), str(tree)))


def test_it_lists_the_recipes(installed: Installed, empty: Path) -> None:
    done = installed.run("dareps", "list", "recipes", folder=empty)
    assert done.returncode == 0, done.stderr
    assert [name for name in RECIPES if name not in done.stdout] == []
    assert len(RECIPES) >= 8


def test_it_shows_a_recipe_with_its_paper(installed: Installed, empty: Path) -> None:
    done = installed.run("dareps", "show", "dann", folder=empty)
    assert done.returncode == 0, done.stderr
    assert "Ganin" in done.stdout


def test_it_binds_a_run_and_leaves_the_folder_empty(installed: Installed, empty: Path) -> None:
    done = installed.run("dareps", "train", "source_only", "--dry-run", folder=empty)
    assert done.returncode == 0, done.stderr
    assert "source_only" in done.stdout
    assert list(empty.iterdir()) == []


def test_a_mistake_is_one_message(installed: Installed, empty: Path) -> None:
    done = installed.run("dareps", "train", "dan", "align.0.wieght=1", "--dry-run", folder=empty)
    assert done.returncode == 2
    assert "weight" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_runs_as_a_module(from_wheel: Installed, empty: Path) -> None:
    done = from_wheel.run("python", "-m", "dareps", "--version", folder=empty)
    assert done.returncode == 0, done.stderr


@pytest.mark.serial
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["list"], 0),
        (["list", "recipes"], 0),
        (["show", "dann"], 0),
        (["train", "dan", "align.0.wieght=1"], 2),
        (["bench", "quik"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_it_answers_at_once(from_wheel: Installed, empty: Path, words: list[str], code: int) -> None:
    """Processor time, best of five: what a machine with nothing else to do would show on the clock."""
    seconds, libraries = [], []
    for _ in range(5):
        start = processor_seconds()
        done = from_wheel.run("dareps", *words, folder=empty)
        seconds.append(processor_seconds() - start)
        assert done.returncode == code, done.stderr
        start = processor_seconds()
        from_wheel.run("python", "-c", "import typer, pydantic, yaml", folder=empty)
        libraries.append(processor_seconds() - start)
    assert min(seconds) < max(LIMIT, 4.5 * min(libraries))  # A slow machine is slow at importing alone.


@pytest.mark.slow
def test_a_wheel_works_in_an_empty_environment(wheel: Path, empty: Path, tmp_path: Path) -> None:
    """As a user installs it: nothing there before, every dependency from the registry, then a short training."""
    environment = tmp_path / "environment"
    must(sys.executable, "-m", "venv", str(environment), folder=empty)
    program = str(environment / "bin" / "dareps")
    pip = (str(environment / "bin" / "python"), "-m", "pip", "--no-input", "--disable-pip-version-check")
    must(*pip, "install", "--quiet", str(wheel), folder=empty, timeout=1200)
    must(*pip, "check", folder=empty)
    listed = must(program, "list", "recipes", folder=empty)
    assert [name for name in RECIPES if name not in listed] == []
    must(program, "train", "dann", "--seed", "1", "phases.0.steps=20", folder=empty)
    assert (empty / "runs").is_dir()
