"""Adapted layers against those of peft: outputs and gradients with the same A and B, in float64.

Both run in a child process of the peers' environment (`constraints-peers.txt`).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks._measure import ROOT, Figure, Worker, WorkerError, publish

PACKAGES = ("torch", "peft")
_BOUND = 1e-12


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print the table and write `benchmarks/results/low_rank.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.low_rank", description=__doc__)
    folder = Path(os.environ.get("DAREPS_PEERS", ROOT / ".venv-peers"))
    parser.add_argument("--peers", type=Path, default=folder, help="the peers' environment")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results file")
    options = parser.parse_args(arguments)
    figures, versions = compared(options.peers / "bin" / "python")
    publish("low_rank", figures, options.out, versions_peers=versions)


def compared(python: Path) -> tuple[list[Figure], dict[str, str]]:
    """The largest differences by layer, and the versions they were found with; or a row that says why not."""
    if not python.exists():
        note = "the peers are not installed: constraints-peers.txt says how"
        return [Figure("largest difference", None, note=note).at_most(_BOUND)], {}
    try:
        with Worker(python) as worker:
            found: dict[str, dict[str, float]] = worker.call("benchmarks._peers.peft_adapters:differences")
            versions: dict[str, str] = worker.call("benchmarks._worker:versions", list(PACKAGES))
    except WorkerError as error:
        return [Figure("largest difference", None, note=str(error)).at_most(_BOUND)], {}
    figures = [
        Figure(f"largest difference of {what}", value, group=layer).at_most(_BOUND)
        for layer, row in found.items()
        for what, value in row.items()
    ]
    return figures, versions


if __name__ == "__main__":
    main()
