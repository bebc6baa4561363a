from __future__ import annotations

import os
from pathlib import Path

import pytest

from dareps import plugin
from dareps.alignment import Alignment
from tests.cli._ask import spawned
from tests.integration._suites import TINY, write_suite

plugin.plugins(Alignment)


@pytest.fixture(scope="package")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests here, since drawing the fonts and blending digits take seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def surroundings(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a working directory of our own, and no parts left over from other tests."""
    monkeypatch.setenv("DAREPS_CACHE", str(cache))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(plugin._registry, "alignment", dict(plugin._registry["alignment"]))


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """The folder of a tiny suite that ran undisturbed in a process of its own, with W&B offline."""
    folder = tmp_path_factory.mktemp("finished")
    path = write_suite(folder, TINY)
    home = {"HOME": str(folder), "DAREPS_CACHE": str(cache), "WANDB_MODE": "offline"}
    done = spawned("bench", path, "--out", folder, "--workers", 2, cwd=folder, **home)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return folder / path.stem


@pytest.fixture
def public_data() -> None:
    """The public datasets, or a skip that says why."""
    roots = os.environ.get("DAREPS_DATA", "").split(os.pathsep)
    if not any(root and (Path(root) / "amazon_reviews").is_dir() for root in roots):
        pytest.skip("DAREPS_DATA names no folder with the public datasets")
