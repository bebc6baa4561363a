"""`python -m benchmarks.peer_laws` has a row for every loss, and counts one crash once."""

from __future__ import annotations

import json

import pytest

from benchmarks import peer_laws
from benchmarks._peers import laws


def test_missing_peers_are_rows(tmp_path) -> None:
    peer_laws.main(["--peers", str(tmp_path / "nowhere"), "--out", str(tmp_path)])
    content = json.loads((tmp_path / "peer_laws.json").read_text())
    assert set(content["laws"]) == set(laws.PEERS)
    assert all("constraints-peers.txt" in row["note"] and row["value"] is None for row in content["figures"])


def test_one_crash_counts_once_and_a_claim_that_fails_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes(x, y):
        raise RuntimeError("no such kernel")

    def one_sided(x, y):
        return ((x.mean(0) - y.mean(0)) / (1 + x.square().mean())).square().sum()

    monkeypatch.setattr(laws, "_TRIALS", 3)
    made = {"crashes": laws.Peer(lambda: crashes), "one-sided": laws.Peer(lambda: one_sided, ("symmetric",))}
    monkeypatch.setattr(laws, "PEERS", made)
    assert [row["law"] for row in laws.report("crashes") if row["holds"] is False] == ["scalar"]
    assert not [row for row in laws.report("crashes") if row["holds"]]
    assert [row["law"] for row in laws.report("one-sided") if not row["holds"]] == ["symmetric"]
