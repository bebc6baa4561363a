from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ._source import ROOT

HEAVY = ("torch", "torchvision", "numpy", "scipy", "sklearn", "matplotlib", "wandb")
# Runs in a process of its own: imports each named module with the heavy packages made unimportable.
PROBE = """
import importlib, json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in json.loads(sys.argv[1]):
            raise ModuleNotFoundError(f"blocked: {name}")

sys.meta_path.insert(0, Blocked())
faults = {}
for module in json.loads(sys.argv[2]):
    try:
        importlib.import_module(module)
    except Exception as error:
        faults[module] = f"{type(error).__name__}: {error}"
print(json.dumps(faults))
"""


def plugin_modules() -> list[str]:
    """Every plug-in file of every family, by the package's own list of families."""
    from dareps.plugin import PACKAGES

    folders = [ROOT / "dareps" / package.replace(".", "/") for package in sorted(set(PACKAGES.values()))]
    files = [file for folder in folders for file in sorted(folder.glob("*.py")) if not file.stem.startswith("_")]
    return [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]


def faults(modules: list[str]) -> dict[str, str]:
    """Modules that cannot be imported without the heavy packages, each with its error."""
    command = [sys.executable, "-c", PROBE, json.dumps(HEAVY), json.dumps(modules)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def plugin_faults() -> dict[str, str]:
    return faults(plugin_modules())


@pytest.mark.parametrize("module", plugin_modules())
def test_a_plugin_file_needs_nothing_heavy(module: str, plugin_faults: dict[str, str]) -> None:
    assert plugin_faults.get(module) is None


@pytest.mark.parametrize(
    "module", ["dareps", "dareps.cli", "dareps.recipe.bind", "dareps.suite.expand", "dareps.data.catalogue"]
)
def test_settings_and_the_command_line_need_nothing_heavy(module: str) -> None:
    assert faults([module]) == {}


@pytest.mark.parametrize("module", ["torch.nn", "numpy", "dareps.alignment._modules", "dareps.maths.kernels"])
def test_the_block_blocks(module: str) -> None:
    assert "blocked" in faults([module])[module]


def test_every_family_is_probed() -> None:
    named = {Path(module.replace(".", "/")).parent.name for module in plugin_modules()}
    assert {"alignment", "augment", "data", "encoders", "selection", "sharing", "transfer"} <= named
