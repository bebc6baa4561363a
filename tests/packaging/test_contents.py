from __future__ import annotations

import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

from ._install import ROOT, build


def package_files() -> set[str]:
    """Every file below `dareps`, those behind the link included."""
    folders = {"dareps": ROOT / "dareps", "dareps/configs": ROOT / "configs"}
    return {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def wheel_files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    found = package_files()
    assert {"dareps/configs/recipes/dann.yaml", "dareps/py.typed", "dareps/cli.py"} <= found
    assert wheel_files(wheel) == found


def test_the_wheel_made_without_the_sdist_is_the_same(tree: Path, wheel: Path, tmp_path: Path) -> None:
    build(tree, tmp_path, "--wheel")
    (direct,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(direct) as one, zipfile.ZipFile(wheel) as other:
        assert {name: one.read(name) for name in wheel_files(direct)} == {
            name: other.read(name) for name in wheel_files(wheel)
        }


def test_the_sdist_holds_files_and_no_links(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    found = {member.name.partition("/")[2] for member in members if member.isfile()}
    assert package_files() <= found
    assert {"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "constraints.txt", "setup.cfg"} <= found


def test_the_metadata_is_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
        assert [name for name in archive.namelist() if name.endswith("/LICENSE")]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {"balancing", "hpo", "ot", "peers", "test", "timm"}
    assert "make quickstart" in metadata.get_payload()
