"""What all benchmarks share: alternatives in child processes that take turns, ratios with a spread, results files."""

from __future__ import annotations

import json
import os
import platform
import select
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from benchmarks._worker import versions

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
THREADS = 1
MEMORY = 6 * 2**30
"""Bytes of writable memory that a child process may have."""
PATIENCE = 900.0
"""Seconds until a call counts as hung."""
PACKAGES = (
    *("dareps", "torch", "torchvision", "numpy", "scikit-learn", "skorch"),
    *("skada", "pytorch-adapt", "geomloss", "POT", "triton"),
)
_MARKS = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


class WorkerError(RuntimeError):
    """A call that failed in its child process, or a child process that is gone."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a benchmark.

    Attributes:
        what: What was measured.
        value: The number, or None when there is none; then `note` says why.
        target: What it should be, such as `<= 1.05`; empty when nothing is asked of it.
        met: Whether the target was met; None without a target or a value.
        unit: Unit of the value; empty for ratios and shares.
        spread: First and third quartile over rounds, or None.
        note: What a reader should know.
        group: Figures of one group stand together in the table.
    """

    what: str
    value: float | None
    target: str = ""
    met: bool | None = None
    unit: str = ""
    spread: tuple[float, float] | None = None
    note: str = ""
    group: str = ""

    def at_most(self, bound: float) -> Figure:
        """This figure with the target `<= bound`."""
        return self._judged(f"<= {bound:g}", lambda value: value <= bound)

    def at_least(self, bound: float) -> Figure:
        """This figure with the target `>= bound`."""
        return self._judged(f">= {bound:g}", lambda value: value >= bound)

    def record(self) -> dict[str, Any]:
        """This figure as the results file has it."""
        what = f"{self.group}: {self.what}" if self.group else self.what
        return {name: value for name, value in asdict(self).items() if name != "group"} | {"what": what}

    def _judged(self, target: str, holds: Callable[[float], bool]) -> Figure:
        return replace(self, target=target, met=None if self.value is None else holds(self.value))


class Worker:
    """A child process of limited threads and memory that answers calls.

    Args:
        python: The interpreter; another environment's for peers.
        memory: Bytes of writable memory it may have.
        threads: How many it may use.
    """

    def __init__(self, python: str | Path = sys.executable, memory: int = MEMORY, threads: int = THREADS) -> None:
        pools = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        quiet = {"BENCHMARK_MEMORY": str(memory), "PYTHONWARNINGS": "ignore"}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._child = subprocess.Popen(
            [str(python), "-m", "benchmarks._worker"], cwd=ROOT, env=os.environ | pools | quiet,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child process."""
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout, self._errors):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def call(self, function: str, *arguments: Any, patience: float = PATIENCE) -> Any:
        """The result of `module:function` on arguments that JSON can carry.

        Raises:
            WorkerError: When the function raised, or the child died or stayed silent for `patience` seconds.
        """
        answer = json.loads(self._exchange(json.dumps({"function": function, "arguments": arguments}), patience))
        if "error" in answer:
            raise WorkerError(f"{function}: {answer['error']}")
        return answer["result"]

    def _exchange(self, question: str, patience: float) -> bytes:
        """Send one line and wait for one."""
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None or stdin.closed:
            raise WorkerError("the child process was closed")
        try:
            stdin.write(question.encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._last_words()) from None
        ready, _, _ = select.select([stdout], [], [], patience)
        line = stdout.readline() if ready else b""
        if not line:
            fault = self._last_words() if ready else f"no answer within {patience:g} s"
            self._child.kill()
            raise WorkerError(fault)
        return line

    def _last_words(self) -> str:
        """How the child ended and the last line it wrote to standard error."""
        code = self._child.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"the child process ended with {code}" + (f": {lines[-1]}" if lines else "")


@dataclass(frozen=True, slots=True)
class Samples:
    """What the rounds of one comparison gave: alternative -> one number per round, or why there is none."""

    values: Mapping[str, Sequence[float]]
    faults: Mapping[str, str]

    def median(self, name: str, what: str, scale: float = 1.0, unit: str = "") -> Figure:
        """The median of one alternative times `scale`."""
        return _figure(what, [scale * value for value in self.values.get(name, ())], self.faults.get(name, ""), unit)

    def ratio(self, upper: str, lower: str, what: str) -> Figure:
        """The median over rounds of upper / lower within the round: drift of the machine cancels."""
        pairs = zip(self.values.get(upper, ()), self.values.get(lower, ()), strict=False)
        fault = self.faults.get(upper) or self.faults.get(lower) or ""
        return _figure(what, [above / below for above, below in pairs], fault)


def alternate(measures: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Run the alternatives in turn, A B C then C B A, so that neither drift nor order favours one.

    An alternative that fails is left out of the rest, and its numbers are dropped: they would pair up wrongly.
    """
    values: dict[str, list[float]] = {name: [] for name in measures}
    faults: dict[str, str] = {}
    for turn in range(rounds):
        for name in list(values)[:: -1 if turn % 2 else 1]:
            try:
                values[name].append(measures[name]())
            except WorkerError as error:
                faults[name] = str(error)
                del values[name]
    return Samples(values, faults)


def publish(name: str, figures: Sequence[Figure], folder: Path = RESULTS, **also: Any) -> Path:
    """Print the table and write `folder/name.json`; `also` adds fields such as the versions of another environment."""
    content = {
        "name": name,
        "figures": [figure.record() for figure in figures],
        "machine": machine(),
        "threads": THREADS,
        "versions": versions(list(PACKAGES)),
        "date": datetime.now(UTC).date().isoformat(),
    }
    path = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | also, indent=2) + "\n", encoding="utf-8")
    _console().print(table(name, figures))
    for note in dict.fromkeys(figure.note for figure in figures if figure.note):
        _console().print(f"* {note}", markup=False)
    return path


def machine() -> dict[str, Any]:
    """The processor, its cores, the system, and how busy it was: figures of a busy machine are worthless."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = platform.platform(terse=True)
    return {"cpu": _cpu(), "cores": cores, "system": system, "load": round(os.getloadavg()[0], 2)}


def table(name: str, figures: Sequence[Figure]) -> Table:
    """The figures as people read them."""
    result = Table("what", "value", "quartiles", "target", "met", title=name)
    for group, members in groupby(figures, lambda figure: figure.group):
        result.add_section()
        if group:
            result.add_row(f"[bold]{group}[/]")
        for figure in members:
            value = "-" if figure.value is None else f"{_short(figure.value)} {figure.unit}".strip()
            spread = " .. ".join(map(_short, figure.spread or ()))
            result.add_row(figure.what, value, spread, figure.target, _MARKS[figure.met])
    return result


def _figure(what: str, values: Sequence[float], fault: str, unit: str = "") -> Figure:
    """The median and quartiles, or why there are none."""
    if fault or not values:
        return Figure(what, None, unit=unit, note=fault or "not measured")
    cuts = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return Figure(what, cuts[1], unit=unit, spread=(cuts[0], cuts[2]))


def _short(value: float) -> str:
    """Four digits, without an exponent where people count in thousands."""
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.4g}"


def _console() -> Console:
    """The terminal; in a pipe or file, wide enough for the tables."""
    return Console() if sys.stdout.isatty() else Console(width=110)


def _cpu() -> str:
    """The processor's name as the system gives it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
