"""One cell of a table of costs: the alternatives for a loss at one size, each in a child process that may fail."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from benchmarks._measure import THREADS, Figure, Samples, Worker, WorkerError, alternate

OURS, PLAIN = "dareps", "plain"
SECONDS = "benchmarks._loss_work:seconds"
LIMIT = 30.0
"""Seconds that one forward and backward pass may take."""
START = 120.0
"""Seconds that a new child process may take to import and to compute a small case."""
_NONE: Mapping[str, str] = MappingProxyType({})
_MEMORY = ("not enough memory", "allocate memory", "MemoryError", "bad_alloc", "out of memory", "ended with -9")


@dataclass
class Side:
    """An alternative: where its losses are and the child process that runs them, started anew when it is gone.

    Attributes:
        module: Where `LOSSES` is.
        python: The interpreter.
        threads: Of the child.
    """

    module: str
    python: str | Path = sys.executable
    threads: int = THREADS
    _worker: Worker | None = field(default=None, init=False)

    def call(self, function: str, *arguments: object, patience: float) -> float:
        """The result of `function`, from a child process that lives."""
        worker = self._worker = self._worker or Worker(self.python, threads=self.threads)
        try:
            found: float = worker.call(function, *arguments, patience=patience)
        except WorkerError as error:
            self.close()
            raise WorkerError(reason(str(error), patience)) from None
        return found

    def seconds(self, loss: str, n: int, d: int, count: int = 1, device: str = "cpu") -> float:
        """Seconds per pass, the mean over `count`."""
        if self._worker is None:
            self.call(SECONDS, self.module, loss, 8, 4, patience=START)
        return self.call(SECONDS, self.module, loss, n, d, count, device, patience=count * LIMIT)

    def memory(self, loss: str, n: int, d: int, patience: float) -> float:
        """Extra bytes of one pass in a new child process."""
        self.close()
        return self.call("benchmarks._loss_work:extra_memory", self.module, loss, n, d, patience=patience)

    def close(self) -> None:
        """End the child process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def reason(fault: str, patience: float) -> str:
    """Why an alternative has no number, in as few words as will do."""
    if any(sign in fault for sign in _MEMORY):
        return "out of memory"
    return f"too slow: over {patience:g} s" if fault.startswith("no answer") else fault


@dataclass(frozen=True, slots=True)
class Cell:
    """Times of the alternatives for one loss at one size.

    Attributes:
        loss: Its name.
        n: Rows a side.
        d: Features.
        samples: Seconds per pass of each alternative in each round.
    """

    loss: str
    n: int
    d: int
    samples: Samples

    @property
    def title(self) -> str:
        """How tables call it."""
        return f"{self.loss} n={self.n} d={self.d}"

    def figures(self) -> list[Figure]:
        """Milliseconds of ours, and how many times as long each alternative takes."""
        names = [*self.samples.values, *self.samples.faults]
        rows = [self.samples.median(OURS, f"{OURS}, per pass", 1e3, "ms")]
        rows += [self.samples.ratio(name, OURS, f"{name} / {OURS}") for name in sorted(names) if name != OURS]
        return [replace(row, group=self.title) for row in rows]

    def fastest(self) -> Figure:
        """Of the peers, the ratio of the fastest."""
        peers = [name for name in self.samples.values if name not in (OURS, PLAIN)]
        ratios = [self.samples.ratio(name, OURS, f"fastest peer ({name}) / {OURS}") for name in peers]
        known = [ratio for ratio in ratios if ratio.value is not None]
        if not known:
            return Figure(f"fastest peer / {OURS}", None, note="no peer was measured")
        return min(known, key=lambda ratio: ratio.value or 0.0)


def hopeless(cells: Sequence[Cell], loss: str, n: int, d: int) -> dict[str, str]:
    """Alternatives that failed at no larger a size for want of memory or time, and why."""
    smaller = [cell for cell in cells if cell.loss == loss and cell.n <= n and cell.d <= d]
    faults = [item for cell in smaller for item in cell.samples.faults.items()]
    return {name: fault for name, fault in faults if fault.startswith(("out of memory", "too slow"))}


def measure(
    sides: Mapping[str, Side], loss: str, n: int, d: int, rounds: int, budget: float, known: Mapping[str, str] = _NONE
) -> Cell:
    """Alternate the sides, in as many rounds as the budget in seconds allows; one that failed is left out.

    Args:
        sides: The alternatives.
        loss: Its name.
        n: Rows a side.
        d: Features.
        rounds: How many rounds at most.
        budget: Seconds.
        known: Alternatives that need not be tried, and why.
    """
    first, faults = {}, dict(known)
    for name, side in sides.items():
        if name in known:
            continue
        try:
            first[name] = side.seconds(loss, n, d)
            if first[name] < budget / 4:
                first[name] = side.seconds(loss, n, d)  # the one before it was cold
        except WorkerError as error:
            faults[name] = str(error)
    possible = int(budget / max(sum(first.values()), 1e-9))
    if possible < 2:
        return Cell(loss, n, d, Samples({name: [value] for name, value in first.items()}, faults))
    count = max(1, min(10, possible // rounds))
    turns = {name: partial(sides[name].seconds, loss, n, d, count) for name in first}
    samples = alternate(turns, min(rounds, possible))
    return Cell(loss, n, d, Samples(samples.values, {**faults, **samples.faults}))
