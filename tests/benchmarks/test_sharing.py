"""`python -m benchmarks.sharing` compares the same steps and writes every figure."""

from __future__ import annotations

import json

import pytest

from benchmarks import _sharing_work, sharing
from dareps.recipe import task_losses
from dareps.sharing import _encoders


@pytest.mark.parametrize("scheme", sorted(_sharing_work.SCHEMES))
def test_stack_and_loop_are_the_same_step(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((_encoders, "_MANY"), (task_losses, "MANY")):
        monkeypatch.setattr(module, name, getattr(module, name))  # Put back afterwards.
    stack, loop = (_sharing_work.objective(side, scheme, 33) for side in _sharing_work.SIDES)
    assert stack == pytest.approx(loop, rel=1e-4)
    assert loop > 0


def test_every_figure_is_written(tmp_path) -> None:
    sharing.main(["--schemes", "soft 0", "--sizes", "2", "--rounds", "1", "--steps", "1", "--out", str(tmp_path)])
    figures = {row["what"]: row for row in json.loads((tmp_path / "sharing.json").read_text())["figures"]}
    assert set(figures) == {
        f"soft 0, 2 branches: {what}" for what in ("stack, a step", "loop, a step", "loop / stack", "parameters")
    }
    assert all(row["value"] > 0 for row in figures.values())
    assert figures["soft 0, 2 branches: parameters"]["value"] == 2 * (28 * 16 + 16)
