"""Time per training step of every balancer against equal weights, by the number of tasks, and of other engines.

Steps of our loop with every balancer, with gradients by parameters and with the series of the tasks' conflict;
TorchJD's engine and LibMTL's algorithm on the same network, rows and rule. All take turns in one child process of one
thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks._measure import RESULTS, Figure, Samples, Worker, alternate, publish
from dareps.balancing import Balancer
from dareps.plugin import plugins

NETWORKS = ("amazon_mlp", "digit_cnn")
TASKS = (2, 10, 40)
JUDGED = 40
"""Number of tasks at which balancers have a target."""
BOUND = 2.0
EQUAL = "equal"
BY_PARAMETERS = tuple(f"{name} by parameters" for name in ("gradnorm", "db_mtl", "upgrad"))
WATCHED = ("equal watched", "equal watched with pairs")
PEERS = ("torchjd features", "torchjd parameters", "torchjd all parameters", "libmtl restated")
RIVALS = {"torchjd features": "upgrad"} | dict.fromkeys(PEERS[1:], "upgrad by parameters")
"""Other engine -> our side that does the same."""
TURN = 0.2
"""Seconds of one turn, of up to `MOST` steps."""
MOST = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and write `benchmarks/results/balancing.json`."""
    options = _options(arguments)
    only = options.only.split(",") if options.only else list(_sides())
    figures: list[Figure] = []
    for network in options.networks.split(","):
        for tasks in map(int, options.tasks.split(",")):
            Console(stderr=True).print(f"{network} {tasks} tasks ...")
            with Worker() as worker:
                figures += _case(worker, network, tasks, [EQUAL, *only], options.rounds)
    publish(options.name, figures, options.out, rounds=options.rounds)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.balancing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each alternative")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="networks, separated by commas")
    parser.add_argument("--tasks", default=",".join(map(str, TASKS)), help="numbers of tasks, separated by commas")
    parser.add_argument("--only", default="", help="sides beside equal weights, separated by commas; all by default")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results file")
    parser.add_argument("--name", default="balancing", help="name of the results file")
    return parser.parse_args(arguments)


def _sides() -> tuple[str, ...]:
    """Everything but equal weights."""
    balancers = tuple(name for name in plugins(Balancer) if name != EQUAL)
    return (*balancers, *BY_PARAMETERS, *WATCHED, *PEERS)


def _case(worker: Worker, network: str, tasks: int, sides: Sequence[str], rounds: int) -> list[Figure]:
    """All figures of one network and number of tasks."""
    turns = {side: partial(_timed, worker, side, network, tasks, {}) for side in dict.fromkeys(sides)}
    figures = _figures(alternate(turns, rounds), tasks)
    return [replace(figure, group=f"{network}, {tasks} tasks") for figure in figures]


def _timed(worker: Worker, side: str, network: str, tasks: int, known: dict[str, int]) -> float:
    """Seconds per step of one turn, whose number of steps the first turn sets."""
    module = "benchmarks._balancing_peers" if side in PEERS else "benchmarks._balancing_ours"
    call = partial(worker.call, f"{module}:seconds", side, network, tasks)
    if not known:
        known["steps"] = max(1, min(MOST, int(TURN / call(1))))
    seconds: float = call(known["steps"])
    return seconds


def _figures(samples: Samples, tasks: int) -> list[Figure]:
    """Milliseconds per step, then ratios to equal weights, then those of other engines to ours."""
    names = [*samples.values, *samples.faults]
    figures = [samples.median(name, f"{name}, per step", 1e3, "ms") for name in names]
    for name in names:
        if name == EQUAL or name in PEERS:
            continue
        ratio = samples.ratio(name, EQUAL, f"{name} / {EQUAL}")
        judged = tasks == JUDGED and name not in (*BY_PARAMETERS, *WATCHED)
        figures.append(ratio.at_most(BOUND) if judged else ratio)
    met = [(peer, own) for peer, own in RIVALS.items() if peer in names and own in names]
    return figures + [samples.ratio(peer, own, f"{peer} / {own}") for peer, own in met]


if __name__ == "__main__":
    main()
