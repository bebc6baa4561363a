"""Building the package and installing it beside what the tests' own environment has, so that nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")


@dataclass(frozen=True)
class Installed:
    """An environment that has dareps."""

    environment: Path

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    def run(self, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs in a folder."""
        program = str(self.environment / "bin" / words[0])
        return call(program, *words[1:], folder=folder)


def call(*command: str, folder: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run a command as someone who has set nothing; what dareps builds is kept for the next command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DAREPS_", "WANDB_"))}
    environment = kept | {"DAREPS_CACHE": str(folder.parents[1] / "cache"), "WANDB_MODE": "disabled", "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def must(*command: str, folder: Path, timeout: float = 240) -> str:
    """Run a command that has to succeed; returns what it printed."""
    done = call(*command, folder=folder, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copy_tree(folder: Path) -> Path:
    """The files that a build reads, with the link to the configurations kept as a link."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("dareps", "configs"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    for path in ROOT.glob("*"):
        if path.is_file():
            shutil.copy2(path, folder / path.name)
    return folder


def build(tree: Path, out: Path, *options: str) -> None:
    """Build with the setuptools at hand; without options the sdist first, and the wheel from the sdist."""
    must(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *options, str(tree), folder=tree)


def install(package: Path, environment: Path, *options: str) -> Installed:
    """Install into a fresh environment that finds everything else where the tests find it."""
    environment.mkdir(parents=True)
    must(sys.executable, "-m", "venv", "--without-pip", str(environment), folder=environment)
    site = next(environment.glob("lib/python*/site-packages"))
    shared = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "shared.pth").write_text("".join(f"{path}\n" for path in shared), encoding="utf-8")
    installed = Installed(environment)
    pip = (sys.executable, "-m", "pip", "--python", str(installed.python), "install", *OFFLINE)
    must(*pip, *options, str(package), folder=environment)
    return installed
