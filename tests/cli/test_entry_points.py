"""Parts of installed third-party packages: found like shipped ones, and no trouble to others when they are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli._ask import ROOT, spawned

ENTRIES = """[dareps.plugins]
mended = good_losses
torn = bad_losses:Torn
"""
GOOD = """
from dareps.alignment import Alignment


class Mended(Alignment):
    \"""Nothing at all.\"""
"""
BAD = """
import no_such_module_at_all
"""


@pytest.fixture
def site(tmp_path: Path) -> str:
    """A folder with an installed package of two plug-ins, one of them broken, on the module path."""
    info = tmp_path / "site" / "their_parts-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-parts\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRIES, encoding="utf-8")
    (info.parent / "good_losses.py").write_text(GOOD, encoding="utf-8")
    (info.parent / "bad_losses.py").write_text(BAD, encoding="utf-8")
    return f"{info.parent}:{ROOT}"


def test_a_broken_package_is_told_and_breaks_no_command(site: str, tmp_path: Path):
    done = spawned("list", "alignment", cwd=tmp_path, PYTHONPATH=site)
    assert done.returncode == 0, done.stderr
    assert ["mended", "Nothing at all."] in [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    [line] = done.stderr.splitlines()
    assert line.startswith("warning: entry point torn: the plug-in bad_losses:Torn of the package their-parts cannot ")
    assert "ModuleNotFoundError: No module named 'no_such_module_at_all'" in line
    assert line.endswith("Mend, update or uninstall their-parts.")


def test_a_name_that_only_the_broken_package_may_know(site: str, tmp_path: Path):
    done = spawned("train", "dann", "align=[torn]", "--dry-run", cwd=tmp_path, PYTHONPATH=site)
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "no alignment has this name" in line
    assert "the package their-parts cannot be imported" in line


def test_the_doctor_names_it(site: str, tmp_path: Path):
    done = spawned("doctor", cwd=tmp_path, PYTHONPATH=site)
    assert done.returncode == 1
    assert "fault: entry point torn: " in done.stdout
