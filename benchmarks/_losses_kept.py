"""Finished cells on disk, so that a benchmark that was stopped goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks._cells import Cell
from benchmarks._measure import Samples


class Kept:
    """Cells in a file, one JSON line each.

    Args:
        path: The file.
        fresh: Whether to forget what it holds.
    """

    def __init__(self, path: Path, fresh: bool) -> None:
        self.path = path
        self._cells: dict[tuple[str, int, int], Cell] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh or not path.exists():
            path.write_text("", encoding="utf-8")
        for line in path.read_text(encoding="utf-8").splitlines():
            found = json.loads(line)
            samples = Samples(found["values"], found["faults"])
            cell = Cell(found["loss"], found["n"], found["d"], samples)
            self._cells[cell.loss, cell.n, cell.d] = cell

    def cell(self, loss: str, n: int, d: int) -> Cell | None:
        """The cell, if it was measured."""
        return self._cells.get((loss, n, d))

    def add(self, cell: Cell) -> Cell:
        """Keep a cell."""
        content = {"loss": cell.loss, "n": cell.n, "d": cell.d}
        content |= {"values": dict(cell.samples.values), "faults": dict(cell.samples.faults)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")
        return cell
