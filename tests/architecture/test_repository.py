from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

import dareps

from ._source import ROOT

FOLDERS = ("dareps", "benchmarks", "configs", "tests", ".ci")
# Spelled in pieces, since this file is searched as well.
NOWHERE = (
    "/" + "work/",
    "/" + "root/",
    "/" + "home/",
    "pypi" + ".org",
    "pytho" + "nhosted",
    "download.py" + "torch.org",
)
SHARED = "../" + "shared"


def text_files() -> Iterator[tuple[str, str]]:
    """Every text file that belongs to the repository, as (name, text)."""
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    for path in sorted([*ROOT.glob("*"), *below]):
        if path.is_file() and "\0" not in (text := path.read_text(encoding="utf-8", errors="replace")):
            yield path.relative_to(ROOT).as_posix(), text


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    lines = [line for line in read(name).splitlines() if line and not line.startswith("#")]
    return {normal(package): version for package, _, version in (line.partition("==") for line in lines)}


def normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def requirements(extra: str = "") -> list[str]:
    setup = ConfigParser()
    setup.read_string(read("setup.cfg"))
    wanted = setup["options.extras_require"][extra] if extra else setup["options"]["install_requires"]
    return [normal(re.split(r"[<>=!~\[]", line)[0]) for line in wanted.split()]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", read("Makefile"), flags=re.MULTILINE))


@pytest.mark.parametrize("word", NOWHERE)
def test_no_place_of_one_machine_and_no_registry_is_named(word: str) -> None:
    assert not [name for name, text in text_files() if word in text]


def test_only_the_checks_know_where_shared_data_lies() -> None:
    assert [name for name, text in text_files() if SHARED in text] == [".ci/run"]


def test_the_search_reaches_every_kind_of_file() -> None:
    names = {name for name, _ in text_files()}
    assert {"setup.cfg", "Makefile", ".ci/run", "configs/recipes/dann.yaml", "dareps/cli.py"} <= names


def test_every_make_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)\b(?=`|\s*(?:#|$))", read("README.md"), flags=re.MULTILINE))
    assert {"quickstart", "test"} <= named <= targets()


def test_every_target_is_phony_and_listed() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", read("Makefile"), flags=re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets()


def test_every_requirement_is_pinned() -> None:
    pinned = pins("constraints.txt")
    assert not [name for name in [*requirements(), *requirements("test")] if name not in pinned]
    assert all(pinned.values())


def test_peers_are_pinned_and_share_our_torch() -> None:
    ours, peers = pins("constraints.txt"), pins("constraints-peers.txt")
    assert not [name for name in requirements("peers") if name not in peers]
    assert [peers[name] for name in ("torch", "torchvision")] == [ours[name] for name in ("torch", "torchvision")]


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == dareps.__version__
    assert dareps.__version__ in read("CHANGELOG.md")
    assert citation["license"] == "MIT"
    assert "dareps contributors" in read("LICENSE")


@pytest.mark.parametrize("script", sorted((ROOT / ".ci").iterdir()), ids=lambda script: script.name)
def test_scripts_can_be_run(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
