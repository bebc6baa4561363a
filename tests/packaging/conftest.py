from __future__ import annotations

from pathlib import Path

import pytest

from ._install import Installed, build, copy_tree, install


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="session")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel that is made from it."""
    out = tmp_path_factory.mktemp("dist")
    build(tree, out)
    return out


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    (found,) = built.glob("dareps-*.tar.gz")
    return found


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (found,) = built.glob("dareps-*.whl")
    return found


@pytest.fixture(scope="session")
def from_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(wheel, tmp_path_factory.mktemp("wheel") / "environment")


@pytest.fixture(scope="session")
def from_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(sdist, tmp_path_factory.mktemp("sdist") / "environment")


@pytest.fixture(scope="session")
def editable(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tree, tmp_path_factory.mktemp("editable") / "environment", "--editable")


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty folder to work from."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder
