"""Many branches as one stack along a branch dimension against a Python loop over branches: time and parameters.

Rows have the shape of the School data (28 columns, 512 pupils a step, each with the label of one task); 139 branches
are its schools. A step is forward, backward and Adam, one thread. Both sides run the same method and agree on the
objective; the loop computes encoders, heads and losses branch by branch. Schemes whose branches are not stacked (gated
and shared-private ones) gain from heads and losses alone. Alternatives take turns in child processes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks._measure import RESULTS, Figure, Worker, alternate, publish
from benchmarks._sharing_work import SCHEMES, SIDES, parameters

SIZES, SCHOOLS = (2, 16, 64, 139), 139
WANTED = 14.0
"""Loop over stack at 139 schools in a step without anything else around it: 13 ms against 0.9 ms."""
WORK = "benchmarks._sharing_work:seconds"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and write `sharing.json`."""
    options = _options(arguments)
    figures: list[Figure] = []
    for scheme, branches in product(options.schemes.split(","), map(int, options.sizes.split(","))):
        figures += cell(scheme, branches, options.rounds, options.steps)
    publish("sharing", figures, options.out, rounds=options.rounds)


def cell(scheme: str, branches: int, rounds: int, steps: int) -> list[Figure]:
    """Times, their ratio and the number of parameters of one scheme at one number of branches."""
    with ExitStack() as stack:
        workers = {side: stack.enter_context(Worker()) for side in SIDES}
        calls = {side: partial(own.call, WORK, side, scheme, branches, steps) for side, own in workers.items()}
        samples = alternate(calls, rounds)
    ratio = samples.ratio("loop", "stack", "loop / stack")
    figures = [
        *(samples.median(side, f"{side}, a step", 1e3, "ms") for side in SIDES),
        ratio.at_least(WANTED) if (scheme, branches) == ("soft 0", SCHOOLS) else ratio,
        Figure("parameters", parameters(scheme, branches)),
    ]
    return [replace(figure, group=f"{scheme}, {branches} branches") for figure in figures]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=__doc__)
    parser.add_argument("--schemes", default=",".join(SCHEMES), help="schemes, separated by commas")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of branches")
    parser.add_argument("--rounds", type=int, default=11, help="turns of each alternative")
    parser.add_argument("--steps", type=int, default=20, help="steps of a turn")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
