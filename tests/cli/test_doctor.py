"""`dareps doctor`: faults with their fix and exit 1; what is merely missing is information."""

from __future__ import annotations

from pathlib import Path

import pytest

from dareps.commands import doctor
from dareps.commands.doctor import Finding, build, findings, matching
from tests.cli._ask import ask


def test_a_healthy_place_has_no_fault(tmp_path: Path):
    found = {one.what: one for one in findings(tmp_path / "runs")}
    assert {one.what for one in found.values() if one.state == "fault"} == set()
    assert found["data digits"].state == "info"
    assert "dareps data get digits" in found["data digits"].text
    assert found["data digits8"].text == "embedded"
    assert "matches torch" in found["torchvision"].text
    assert found["Weights & Biases"].text == "disabled: WANDB_MODE is set"
    assert not (tmp_path / "runs").exists()


def test_the_command_prints_every_finding(tmp_path: Path):
    result = ask("doctor", "--out", tmp_path)
    assert result.exit_code == 0, result.stdout
    for one in findings(tmp_path):
        assert one.what in result.stdout
    assert "Everything that dareps needs is here." in result.stdout


def test_places_that_cannot_be_written_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("DAREPS_CACHE", str(blocked / "cache"))
    result = ask("doctor", "--out", blocked / "runs")
    assert result.exit_code == 1
    assert "Choose another with --out." in result.stdout
    assert "DAREPS_CACHE" in result.stdout
    assert "2 to mend." in result.stdout


def test_a_torchvision_that_does_not_import_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    usual = doctor._imported
    reason = "cannot be imported (RuntimeError: operator torchvision::nms does not exist)"
    monkeypatch.setattr(doctor, "_imported", lambda name: reason if name == "torchvision" else usual(name))
    found: dict[str, Finding] = {one.what: one for one in findings(tmp_path)}
    assert found["torchvision"].state == "fault"
    assert reason in found["torchvision"].text
    assert "pip install" in found["torchvision"].fix


def test_a_missing_package_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(doctor, "PACKAGES", (*doctor.PACKAGES, "no-such-package-here"))
    result = ask("doctor", "--out", tmp_path)
    assert result.exit_code == 1
    assert "pip install no-such-package-here" in result.stdout


@pytest.mark.parametrize(
    ("torch", "torchvision", "wanted", "builds", "expected"),
    [
        ("2.10.0+cu128", "0.25.0+cu128", "2.10.0", ("cu128", "cu128"), ""),
        ("2.10.0", "0.25.0", "2.10.0", ("", ""), ""),
        ("2.10.0", "0.25.0+cpu", None, ("", "cpu"), ""),
        ("2.10.0", "0.26.0", "2.11.0", ("", ""), "belongs to torch 2.11.0"),
        ("2.10.0+cpu", "0.25.0+cu128", "2.10.0", ("cpu", "cu128"), "built for cpu"),
    ],
)
def test_builds_match_or_not(torch: str, torchvision: str, wanted: str, builds: tuple[str, str], expected: str):
    found = matching(torch, torchvision, wanted, builds)
    assert (found == "") == (expected == "")
    assert expected in found


@pytest.mark.parametrize(
    ("version", "cuda", "expected"),
    [("2.1+cpu", None, "cpu"), ("2.1", "12.8", "cu128"), ("0.25", "13020", "cu132"), ("2.1", None, "")],
)
def test_a_build_is_known_by_its_tag_or_its_cuda(version: str, cuda: str | None, expected: str):
    assert build(version, cuda) == expected


def test_a_mode_that_wandb_does_not_know_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "ofline")
    [one] = [one for one in findings(tmp_path) if one.what == "Weights & Biases"]
    assert one.state == "fault"
    assert "online, offline, disabled" in one.fix
