"""`python -m benchmarks.low_rank` says so where peft is missing."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import low_rank


def test_missing_peers_are_a_row(tmp_path: Path) -> None:
    low_rank.main(["--peers", str(tmp_path / "nowhere"), "--out", str(tmp_path)])
    (row,) = json.loads((tmp_path / "low_rank.json").read_text())["figures"]
    assert "constraints-peers.txt" in row["note"]
    assert row["value"] is None
