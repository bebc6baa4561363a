"""`python -m benchmarks.balancing` measures the sides it is asked for, and every side can take a step."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks import _balancing_ours, balancing

peers = pytest.importorskip("benchmarks._balancing_peers", reason="the extra [balancing] is not installed")


def test_the_table_has_ratios_to_equal_weights_and_to_other_engines(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancing, "JUDGED", 2)
    monkeypatch.setattr(balancing, "MOST", 1)
    asked = ["--networks", "amazon_mlp", "--tasks", "2", "--only", "upgrad,torchjd features,nobody"]
    balancing.main(["--rounds", "1", *asked, "--out", str(tmp_path)])
    figures = {row["what"]: row for row in json.loads((tmp_path / "balancing.json").read_text())["figures"]}
    ours = figures["amazon_mlp, 2 tasks: upgrad / equal"]
    assert ours["target"] == "<= 2"
    assert ours["met"] is (ours["value"] <= 2)
    assert figures["amazon_mlp, 2 tasks: torchjd features / upgrad"]["value"] > 0
    assert "nobody" in figures["amazon_mlp, 2 tasks: nobody, per step"]["note"]


@pytest.mark.parametrize("side", [*balancing.BY_PARAMETERS[:1], *balancing.WATCHED])
def test_our_sides_take_steps(side: str) -> None:
    assert _balancing_ours.seconds(side, "amazon_mlp", 2, 1) > 0


def test_other_engines_make_the_same_gradients() -> None:
    found = {}
    for side, engine in peers.ENGINES.items():
        torch.manual_seed(0)
        model = peers.Model("amazon_mlp", 3)
        rows = model.x[:16]
        engine(model, model.encoder(rows), [own[:16] for own in model.y])
        found[side] = [own.grad.clone() for own in model.shared]
    for one, other in zip(found["torchjd parameters"], found["libmtl restated"], strict=True):
        torch.testing.assert_close(one, other)
