from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dareps.tracking import NoTracker, WandbTracker, account, make_tracker

KEY = "0" * 40


def test_a_user_without_credentials_is_offline():
    assert account().mode == "offline"


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"])
def test_credentials_in_the_environment_mean_online(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, KEY)
    assert account().mode == "online"
    assert name in account().reason


@pytest.mark.parametrize(
    ("machine", "address", "mode"),
    [
        ("api.wandb.ai", "", "online"),
        ("api.forge.coreweave.com", "", "online"),
        ("example.org", "", "offline"),
        ("api.wandb.ai", "https://wandb.example.org", "offline"),
        ("wandb.example.org", "https://wandb.example.org", "online"),
    ],
)
def test_a_netrc_counts_for_its_own_server(machine: str, address: str, mode: str, monkeypatch: pytest.MonkeyPatch):
    file = Path.home() / ".netrc"
    file.write_text(f"machine {machine}\n  login user\n  password {KEY}\n")
    file.chmod(0o600)
    monkeypatch.setenv("WANDB_BASE_URL", address)
    assert account().mode == mode


def test_a_broken_netrc_or_settings_file_is_no_login():
    (Path.home() / ".netrc").write_text("machine\nnonsense {")
    settings = Path.home() / ".config" / "wandb" / "settings"
    settings.parent.mkdir(parents=True)
    settings.write_bytes(b"no section \xff = \n")
    assert account().mode == "offline"


def test_settings_files_are_read_and_the_working_folder_wins(monkeypatch: pytest.MonkeyPatch):
    user, work = Path.home() / ".config" / "wandb" / "settings", Path("wandb") / "settings"
    for file, text in ((user, f"[default]\napi_key = {KEY}\nmode = online\n"), (work, "[default]\nmode = offline\n")):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    assert account().mode == "offline"
    work.unlink()
    assert account().mode == "online"
    user.write_text(f"[default]\napi_key = {KEY}\n")
    assert account().reason == "logged in by wandb's settings file"
    monkeypatch.setenv("WANDB_MODE", "dryrun")
    assert account().mode == "offline"


def test_wandb_is_not_used_when_disabled_or_missing(folder: Path, monkeypatch: pytest.MonkeyPatch):
    assert isinstance(make_tracker(folder), WandbTracker)
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert isinstance(make_tracker(folder), NoTracker)
    assert account().reason == "wandb is not installed"
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert isinstance(make_tracker(folder), NoTracker)
    assert not folder.exists()


def test_a_folder_called_wandb_is_not_the_package(monkeypatch: pytest.MonkeyPatch):
    Path("wandb").mkdir()
    (Path("wandb") / "latest-run").mkdir()
    monkeypatch.setattr(sys, "path", [str(Path.cwd())])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert account().mode == "disabled"


def test_a_user_without_a_home_is_offline(monkeypatch: pytest.MonkeyPatch):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert account({}).mode == "offline"


def test_importing_the_package_and_making_a_tracker_loads_neither_torch_nor_wandb(folder: Path):
    code = (
        "import sys; from pathlib import Path; from dareps.tracking import make_tracker\n"
        f"make_tracker(Path({str(folder)!r}))\n"
        "assert not {'torch', 'numpy', 'wandb'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(root)})
