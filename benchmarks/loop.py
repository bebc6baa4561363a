"""Time per training step: our loop, hand-written PyTorch, a plain loop, skada and pytorch-adapt on the same work.

Ours, the hand-written and the plain loop take turns in one child process; the peers run in their own environment
(`constraints-peers.txt`), each in a child process, in the same rounds. One thread each, medians over rounds.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks._measure import PACKAGES, ROOT, Figure, Samples, Worker, WorkerError, alternate, publish

OURS, HAND, PLAIN, SKADA, ADAPT = "dareps", "hand-written", "plain", "skada", "pytorch-adapt"
HERE = {
    OURS: "benchmarks._ours:seconds_per_step",
    HAND: "benchmarks._handwritten:fast",
    PLAIN: "benchmarks._handwritten:plain",
}
PEERS = {
    SKADA: "benchmarks._peers.skada_loop:seconds_per_step",
    ADAPT: "benchmarks._peers.pytorch_adapt_loop:seconds_per_step",
}
STEPS = {"amazon_mlp": 200, "digit_cnn": 50}
METHODS = ("source_only", "dann")
BOUND = 1.05
Side = tuple[Worker, str] | None
"""Where a loop runs and the function that times it; None when its environment is missing."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and write `benchmarks/results/loop.json`."""
    options = _options(arguments)
    with ExitStack() as stack:
        sides = _sides(stack, options.peers)
        peer = sides[SKADA]
        versions = peer[0].call("benchmarks._worker:versions", list(PACKAGES)) if peer else {}
        figures: list[Figure] = []
        for network in STEPS:
            for method in METHODS:
                Console(stderr=True).print(f"{network} {method} ...")
                figures += _case(sides, network, method, options)
    publish(options.name, figures, options.out, versions_peers=versions, rounds=options.rounds)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=__doc__)
    folder = Path(os.environ.get("DAREPS_PEERS", ROOT / ".venv-peers"))
    parser.add_argument("--rounds", type=int, default=11, help="turns of each alternative")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the steps per turn")
    parser.add_argument("--peers", type=Path, default=folder, help="the peers' environment")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results file")
    parser.add_argument("--name", default="loop", help="name of the results file")
    return parser.parse_args(arguments)


def _sides(stack: ExitStack, peers: Path) -> dict[str, Side]:
    """One child process for the loops of this environment, and one per peer when theirs is installed."""
    here = stack.enter_context(Worker())
    sides: dict[str, Side] = {name: (here, function) for name, function in HERE.items()}
    python = peers / "bin" / "python"
    for name, function in PEERS.items():
        sides[name] = (stack.enter_context(Worker(python)), function) if python.exists() else None
    return sides


def _case(sides: Mapping[str, Side], network: str, method: str, options: argparse.Namespace) -> list[Figure]:
    """All figures of one network and method."""
    steps = max(1, round(STEPS[network] * options.scale))
    measures = {name: partial(_timed, side, name, network, method, steps) for name, side in sides.items()}
    figures = _figures(alternate(measures, options.rounds))
    return [replace(figure, group=f"{network} {method}") for figure in figures]


def _timed(side: Side, name: str, network: str, method: str, steps: int) -> float:
    """Seconds per step of one turn."""
    if side is None:
        raise WorkerError(f"{name} is not installed: constraints-peers.txt says how")
    worker, function = side
    seconds: float = worker.call(function, network, method, steps)
    return seconds


def _figures(samples: Samples) -> list[Figure]:
    """Microseconds per step of each loop, then the ratios."""
    times = [samples.median(name, f"{name}, per step", 1e6, "us") for name in (*HERE, *PEERS)]
    ratios = [samples.ratio(OURS, HAND, f"{OURS} / {HAND}").at_most(BOUND)]
    ratios += [samples.ratio(name, OURS, f"{name} / {OURS}") for name in (PLAIN, *PEERS)]
    ratios += [samples.ratio(name, PLAIN, f"{name} / {PLAIN}") for name in PEERS]
    return times + ratios


if __name__ == "__main__":
    main()
