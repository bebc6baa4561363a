"""The eight routes in one table: each against learning its target from scratch, same labels, same steps, 3 seeds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks._measure import RESULTS, ROOT, publish
from benchmarks._transfers import carried_out, means, told, wall_time

SUITE, RULE, MINUTES = "routes", "last", 60.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite and publish every recipe's figure on the target's test rows."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{SUITE}", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where the suite's results are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file")
    options = parser.parse_args(arguments)
    minutes = carried_out(SUITE, options.out)
    publish(SUITE, [*told(means(options.out / SUITE, RULE)), wall_time(minutes, MINUTES)], options.results)


if __name__ == "__main__":
    main()
