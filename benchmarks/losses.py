"""Time and memory of the losses, forward and backward: ours, plain PyTorch, skada, pytorch-adapt, geomloss and POT.

All on the same rows in float32, one thread each. Alternatives take turns, each in a child process with a memory limit;
what does not fit or takes too long is a row that says so. Finished cells are kept and not measured again until
`--fresh`. geomloss has no multi-kernel and no joint or class-wise discrepancy, so it stands beside the others alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import torch
from rich.console import Console

from benchmarks._cells import OURS, PLAIN, Cell, Side, hopeless, measure
from benchmarks._losses_device import figures as fused_figures
from benchmarks._losses_kept import Kept
from benchmarks._losses_plot import draw
from benchmarks._measure import PACKAGES, RESULTS, ROOT, Figure, WorkerError, publish
from dareps.alignment import SlicedWasserstein

LOSSES = ("mmd", "coral", "cmd", "sliced", "energy", "sinkhorn", "joint_mmd", "local_mmd", "homm", "class_alignment")
ROWS, WIDTHS, KERNELS = (32, 128, 512, 2048, 8192), (64, 256, 2048), (1, 3, 5, 9, 17)
QUICK_ROWS, QUICK_WIDTHS = (32, 128, 512), (64, 256)
ROUNDS = 51
JUDGED = {*product(("mmd",), (32, 128), WIDTHS), ("mmd", 2048, 256), ("coral", 64, 2048)}
"""Cells whose ratios have a target."""
LONGER = 20
"""How many times the budget they get."""
GIB = 2**30
PEERS = {
    "skada": ("benchmarks._peers.skada_losses", ("mmd", "coral")),
    "pytorch-adapt": ("benchmarks._peers.pytorch_adapt_losses", ("mmd", "coral", "sliced", "joint_mmd")),
    "geomloss": ("benchmarks._peers.geomloss_losses", ("energy", "sinkhorn")),
    "pot": ("benchmarks._peers.pot_losses", ("sinkhorn", "sliced")),
}
LINEAR = ("mmd", "energy", "sinkhorn", "joint_mmd", "local_mmd", "homm", "class_alignment")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write `losses.json` and draw `losses.png`."""
    options = _options(arguments)
    if options.device != "cpu":
        publish(f"{options.name}_{options.device}", fused_figures(options.device, options.quick), options.out)
        return
    with ExitStack() as stack:
        bench = _Bench(stack, options)
        cells = bench.cells()
        figures = [*_targets(cells), *bench.memory(), *bench.bandwidth(), *bench.two_threads()]
        figures += [figure for cell in cells for figure in cell.figures()]
        publish(options.name, figures, options.out, versions_peers=bench.versions(), rounds=ROUNDS)
    draw(cells, options.out / f"{options.name}.png")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.losses", description=__doc__)
    folder = Path(os.environ.get("DAREPS_PEERS", ROOT / ".venv-peers"))
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds, to see that it works")
    parser.add_argument("--only", default=",".join(LOSSES), help="names of losses, separated by commas")
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of alternating per cell")
    parser.add_argument("--fresh", action="store_true", help="forget cells that were measured before")
    parser.add_argument("--device", default="cpu", help="cuda: the fused kernel against tiles and the device's limits")
    parser.add_argument("--peers", type=Path, default=folder, help="the peers' environment")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--kept", type=Path, default=ROOT / "runs" / "losses.jsonl", help="file of finished cells")
    parser.add_argument("--name", default="losses", help="name of the results file")
    options = parser.parse_args(arguments)
    if options.device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--device {options.device}: PyTorch finds no CUDA device here")
    return options


class _Bench:
    """What is measured, and the child processes that do it."""

    def __init__(self, stack: ExitStack, options: argparse.Namespace) -> None:
        self.options = options
        self.kept = Kept(options.kept, options.fresh)
        self.only = tuple(options.only.split(","))
        self.sides = {OURS: Side("benchmarks._losses_ours"), PLAIN: Side("benchmarks._losses_plain")}
        python = options.peers / "bin" / "python"
        if python.exists():
            self.sides |= {name: Side(module, python) for name, (module, _) in PEERS.items()}
        for side in self.sides.values():
            stack.callback(side.close)

    def versions(self) -> dict[str, str]:
        """Versions in the peers' environment."""
        side = self.sides.get("skada")
        if side is None:
            return {}
        found: object = side.call("benchmarks._worker:versions", list(PACKAGES), patience=60)
        return dict(found) if isinstance(found, dict) else {}

    def cells(self) -> list[Cell]:
        """Every loss at every size, then MMD with more and fewer kernels."""
        rows, widths = (QUICK_ROWS, QUICK_WIDTHS) if self.options.quick else (ROWS, WIDTHS)
        wanted = list(product(self.only, rows, widths)) + [("coral", 64, 2048)] * ("coral" in self.only)
        wanted += [(f"mmd_{count}", 512, 256) for count in KERNELS if "mmd" in self.only]
        cells: list[Cell] = []
        for each in wanted:
            cells.append(self._cell(*each, known=hopeless(cells, *each)))
        return cells

    def _cell(self, loss: str, n: int, d: int, known: dict[str, str]) -> Cell:
        kept = self.kept.cell(loss, n, d)
        if kept is not None:
            return kept
        Console(stderr=True).print(f"{loss} n={n} d={d} ...")
        sides = {name: side for name, side in self.sides.items() if name not in PEERS or loss in PEERS[name][1]}
        longer = LONGER if (loss, n, d) in JUDGED else 1
        rounds, budget = (3, 0.5) if self.options.quick else (ROUNDS, longer * self.options.budget)
        return self.kept.add(measure(sides, loss, n, d, rounds, budget, known))

    def memory(self) -> list[Figure]:
        """Peak memory beyond the rows: at 50,000 rows, and how it grows with four times the rows."""
        small, large = (512, 2048) if self.options.quick else (2048, 8192)
        found = []
        if "mmd" in self.only and not self.options.quick:
            what = "extra memory of mmd, n = m = 50,000, d = 256"
            found.append(self._extra(what, "mmd", 50_000, 256, 1200).at_most(1.0))
        for loss in (each for each in LINEAR if each in self.only):
            first, second = (self._extra("", loss, n, 64, 300) for n in (small, large))
            missing = first.value is None or second.value is None
            # Below a few MiB the allocator's own steps are what is seen.
            growth = None if missing else (second.value or 0) / max(first.value or 0, 8 / 1024)
            what = f"growth of extra memory of {loss} from n = {small} to {large}, d = 64"
            found.append(replace(Figure(what, growth, note=second.note), group="memory").at_most(5.0))
        return found

    def _extra(self, what: str, loss: str, n: int, d: int, patience: float) -> Figure:
        Console(stderr=True).print(f"memory of {loss} n={n} d={d} ...")
        try:
            return Figure(what, self.sides[OURS].memory(loss, n, d, patience) / GIB, unit="GiB", group="memory")
        except WorkerError as error:
            return Figure(what, None, unit="GiB", note=str(error), group="memory")

    def bandwidth(self) -> list[Figure]:
        """Speed of the losses that read their rows a few times, as a share of a plain copy's or of their products'."""
        n, d = (2048, 256) if self.options.quick else (16384, 256)
        work = "benchmarks._loss_work:"
        side = self.sides[OURS]
        kept = [each for each in ("cmd", "sliced") if each in self.only]
        if kept:
            side.call(work + "keep_memory", patience=60)
        found = []
        for loss in kept:
            copied = partial(side.call, work + "copy_seconds", n, d, 3, patience=60)
            found.append(
                self._share(f"{loss} n={n} d={d}: time of copying the rows / time of the loss", copied, loss, n, d)
            )
        if "sliced" in kept:
            columns = SlicedWasserstein().projections
            products = partial(side.call, work + "product_seconds", n, d, columns, 3, patience=60)
            found.append(
                self._share(f"sliced n={n} d={d}: time of its matrix products alone / time", products, "sliced", n, d)
            )
        side.close()
        return found

    def _share(self, what: str, part: Callable[[], float], loss: str, n: int, d: int) -> Figure:
        """The middle one of five ratios of a part's seconds to a loss's."""
        shares = sorted(part() / self.sides[OURS].seconds(loss, n, d, 3) for _ in range(5))
        return Figure(what, shares[2], spread=(shares[1], shares[3]), group="bandwidth")

    def two_threads(self) -> list[Figure]:
        """MMD against the plain form where both use two threads."""
        if "mmd" not in self.only or self.options.quick:
            return []
        sides = {name: Side(self.sides[name].module, threads=2) for name in (OURS, PLAIN)}
        cell = measure(sides, "mmd", 2048, 256, 5, 30.0)
        for side in sides.values():
            side.close()
        return [replace(figure, group=f"two threads, {cell.title}") for figure in cell.figures()]


def _targets(cells: Sequence[Cell]) -> list[Figure]:
    """The figures that have a target."""
    at = {(cell.loss, cell.n, cell.d): cell for cell in cells}
    found = [
        replace(at["mmd", n, d].fastest(), group=f"target: {at['mmd', n, d].title}").at_least(0.95)
        for n, d in product((32, 128), WIDTHS)
        if ("mmd", n, d) in at
    ]
    for loss, n, d in (("mmd", 2048, 256), ("coral", 64, 2048)):
        if (loss, n, d) in at:
            ratio = at[loss, n, d].samples.ratio(PLAIN, OURS, f"{PLAIN} / {OURS}").at_least(8.0)
            found.append(replace(ratio, group=f"target: {at[loss, n, d].title}"))
    return found


if __name__ == "__main__":
    main()
