from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="package")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing that a test builds lands in the user's cache."""
    monkeypatch.setenv("DAREPS_CACHE", str(shared_cache))
    return shared_cache


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no data roots but it."""
    monkeypatch.setenv("DAREPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DAREPS_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="package")
def real_data() -> Path:
    """A folder with the public datasets, or a skip that says why."""
    for root in os.environ.get("DAREPS_DATA", "").split(os.pathsep):
        if root and (Path(root) / "amazon_reviews").is_dir():
            return Path(root)
    pytest.skip("DAREPS_DATA names no folder with the public datasets")
