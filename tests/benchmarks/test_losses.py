"""`python -m benchmarks.losses` measures what it is asked to, says why where it cannot, and goes on where it was."""

from __future__ import annotations

import json

import pytest

from benchmarks import losses
from benchmarks._cells import OURS, PLAIN, Side, measure, reason
from benchmarks._loss_work import inputs
from benchmarks._losses_kept import Kept
from benchmarks._losses_ours import LOSSES as OUR_LOSSES
from benchmarks._losses_plain import LOSSES as PLAIN_LOSSES
from benchmarks._measure import Samples, WorkerError


@pytest.mark.parametrize("loss", sorted(PLAIN_LOSSES))
def test_the_plain_form_is_the_same_loss(loss: str) -> None:
    # Directions differ, and plain potentials are not annealed.
    tolerance = {"sliced": 0.2, "sinkhorn": 0.3}.get(loss, 1e-3)
    assert OUR_LOSSES[loss](inputs(40, 8)).item() == pytest.approx(PLAIN_LOSSES[loss](inputs(40, 8)).item(), tolerance)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes", "out of memory"),
        ("numpy MemoryError: Unable to allocate", "out of memory"),
        ("the child process ended with -9", "out of memory"),
        ("no answer within 20 s", "too slow: over 20 s"),
        ("ValueError: x", "ValueError: x"),
    ],
)
def test_faults_are_rows_in_few_words(fault: str, words: str) -> None:
    assert reason(fault, 20) == words


def test_what_does_not_fit_or_takes_too_long_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((0.5, 0.4, 0.4, 0.4, 0.4, 0.4))

    def seconds(self: Side, *_: object) -> float:
        if self.module == "large":
            raise WorkerError("out of memory")
        return next(times)

    monkeypatch.setattr(Side, "seconds", seconds)
    cell = measure({OURS: Side("ours"), PLAIN: Side("large")}, "mmd", 32, 64, rounds=51, budget=1.6)
    assert cell.samples.values == {OURS: [0.4] * 3}
    ours, plain = cell.figures()
    assert ours.value == 400
    assert (plain.value, plain.note) == (None, "out of memory")


def test_what_failed_at_a_smaller_size_is_not_tried_again() -> None:
    failed = losses.Cell("mmd", 512, 64, Samples({OURS: [1.0]}, {PLAIN: "out of memory", "skada": "ValueError: x"}))
    assert losses.hopeless([failed], "mmd", 2048, 64) == {PLAIN: "out of memory"}
    assert not losses.hopeless([failed], "mmd", 128, 64)
    assert not losses.hopeless([failed], "energy", 2048, 64)
    cell = measure({PLAIN: Side("nowhere")}, "mmd", 2048, 64, 3, 1.0, {PLAIN: "out of memory"})
    assert cell.samples.faults == {PLAIN: "out of memory"}


def test_a_child_without_memory_says_so_and_the_next_call_has_a_new_one() -> None:
    side = Side("benchmarks._losses_plain")
    with pytest.raises(WorkerError, match=r"^out of memory$"):
        side.seconds("mmd", 40_000, 64)
    assert side.seconds("mmd", 8, 4) > 0
    side.close()


def test_finished_cells_are_kept(tmp_path) -> None:
    cell = losses.Cell("mmd", 32, 64, Samples({OURS: [1.0, 2.0]}, {PLAIN: "out of memory"}))
    Kept(tmp_path / "cells.jsonl", fresh=False).add(cell)
    assert Kept(tmp_path / "cells.jsonl", fresh=False).cell("mmd", 32, 64) == cell
    assert Kept(tmp_path / "cells.jsonl", fresh=True).cell("mmd", 32, 64) is None


def test_table_file_and_picture(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "QUICK_ROWS", (8, 16))
    monkeypatch.setattr(losses, "QUICK_WIDTHS", (4,))
    monkeypatch.setattr(losses, "KERNELS", (1, 3))
    kept = tmp_path / "kept.jsonl"
    losses.main(["--quick", "--only", "cmd", "--peers", "nowhere", "--out", str(tmp_path), "--kept", str(kept)])
    figures = {row["what"]: row for row in json.loads((tmp_path / "losses.json").read_text())["figures"]}
    assert figures["cmd n=16 d=4: dareps, per pass"]["value"] > 0
    assert figures["cmd n=16 d=4: plain / dareps"]["value"] > 0
    assert (tmp_path / "losses.png").stat().st_size > 1000
