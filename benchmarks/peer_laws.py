"""Which laws the losses of other frameworks keep: skada, pytorch-adapt, POT and geomloss under `dareps.testing`.

Each loss faces the universal laws and those that its documentation claims, in a child process of the peers'
environment (`constraints-peers.txt`) with a limit on time and memory. A loss that cannot be run is a row.
What one crash or NaN breaks beyond the first law counts neither way.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._measure import ROOT, Figure, Worker, WorkerError, publish
from benchmarks._peers.laws import PEERS

NAMES = tuple(PEERS)
_LONGEST = 160
PACKAGES = ("torch", "skada", "pytorch-adapt", "POT", "geomloss", "hypothesis")
OURS = ("no host synchronisation", "stacked equals loop", "autocast")
"""Laws that these frameworks never promised: what stacked seeds, step capture and mixed precision ask for."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Try all laws, print the tables and write `benchmarks/results/peer_laws.json`."""
    options = _options(arguments)
    python = options.peers / "bin" / "python"
    rows = {name: _tried(python, name, options.patience) for name in options.only or NAMES}
    figures = [_figure(name, found) for name, found in rows.items()]
    publish(
        "peer_laws", figures, options.out, versions_peers=_versions(python), trials_per_law=20,
        laws={name: found if isinstance(found, list) else {"fault": found} for name, found in rows.items()},
    )  # fmt: skip
    Console(width=160).print(violations(rows))


def violations(rows: dict[str, list[dict[str, Any]] | str]) -> Table:
    """What is violated, with the smallest sample found."""
    table = Table("loss", "law", "what happened", "smallest sample found", title="violated")
    for name, found in rows.items():
        table.add_section()
        if isinstance(found, str):
            table.add_row(name, "", found[:_LONGEST], "")
            continue
        for row in found:
            if row["holds"] is False:
                shown = str(row["example"]), row["why"].split(". ")[0]
                table.add_row(name, row["law"], shown[1][:_LONGEST], shown[0][:_LONGEST])
    return table


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer_laws", description=__doc__)
    folder = Path(os.environ.get("DAREPS_PEERS", ROOT / ".venv-peers"))
    parser.add_argument("--peers", type=Path, default=folder, help="the peers' environment")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results file")
    parser.add_argument("--only", action="append", choices=NAMES, help="a loss; may be given several times")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds that one loss may take")
    return parser.parse_args(arguments)


def _tried(python: Path, name: str, patience: float) -> list[dict[str, Any]] | str:
    """The rows of one loss, or why there are none."""
    if not python.exists():
        return "the peers are not installed: constraints-peers.txt says how"
    try:
        with Worker(python) as worker:
            rows: list[dict[str, Any]] = worker.call("benchmarks._peers.laws:report", name, patience=patience)
    except WorkerError as error:
        return str(error)
    return rows


def _versions(python: Path) -> dict[str, str]:
    if not python.exists():
        return {}
    with Worker(python) as worker:
        found: dict[str, str] = worker.call("benchmarks._worker:versions", list(PACKAGES))
    return found


def _figure(name: str, found: list[dict[str, Any]] | str) -> Figure:
    """How many laws a loss violates, those that only this framework asks for apart."""
    if isinstance(found, str):
        return Figure(name, None, note=f"{name}: {found}")
    broken = [row["law"] for row in found if row["holds"] is False]
    own = [law for law in broken if law not in OURS]
    note = f"{name}: {', '.join(broken)}" if broken else ""
    return Figure(
        f"{name}, violated of {len(found)} laws", float(len(broken)), unit=f"({len(own)} of them not ours)", note=note
    )


if __name__ == "__main__":
    main()
