"""`python -m benchmarks.loop` writes every figure, with or without the peers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import loop
from benchmarks._measure import ROOT

PEERS = loop._options([]).peers


def _figures(folder: Path, *arguments: str) -> dict[str, dict[str, object]]:
    loop.main(["--rounds", "1", "--scale", "0.02", "--out", str(folder), *arguments])
    return {row["what"]: row for row in json.loads((folder / "loop.json").read_text())["figures"]}


def test_missing_peers_are_named_and_the_rest_is_measured(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "STEPS", {"amazon_mlp": 50})
    figures = _figures(tmp_path, "--peers", str(tmp_path / "nowhere"))
    assert len(figures) == 2 * 11
    ours = figures["amazon_mlp dann: dareps / hand-written"]
    assert ours["target"] == "<= 1.05"
    assert isinstance(ours["value"], float)
    assert ours["met"] is (ours["value"] <= 1.05)
    assert figures["amazon_mlp dann: plain / dareps"]["value"] > 0
    missing = figures["amazon_mlp dann: skada / dareps"]
    assert missing["value"] is None
    assert "constraints-peers.txt" in missing["note"]


@pytest.mark.slow
@pytest.mark.skipif(not (PEERS / "bin" / "python").exists(), reason="the peers' environment is not installed")
def test_every_alternative_runs_every_case(tmp_path) -> None:
    figures = _figures(tmp_path)
    assert len(figures) == 4 * 11
    assert [row["what"] for row in figures.values() if not row["value"]] == []


def test_the_peers_pins_have_no_addresses() -> None:
    text = (ROOT / "constraints-peers.txt").read_text()
    assert "://" not in text
    for name in ("torch==", "skada==", "skorch==1.2", "scikit-learn==1.7", "pytorch-adapt==", "setuptools==80"):
        assert f"\n{name}" in text
