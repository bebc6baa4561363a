"""Pages in two views, two questions of each: a view alone, both joined, shared between domains or not, 3 seeds."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks._transfers import benchmark

SUITE, RULE, MINUTES = "two_views", "source_score", 15.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite and publish every recipe's figures on both domains' test rows."""
    benchmark(SUITE, __doc__, RULE, MINUTES, arguments)


if __name__ == "__main__":
    main()
