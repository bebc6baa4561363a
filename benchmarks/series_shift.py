"""Losses on sensor series under a small, a large and no shift of the device, against the source alone: 3 seeds."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks._transfers import benchmark

SUITE, RULE, MINUTES = "series_shift", "information_maximisation", 15.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite and publish every recipe's figure on the target's test rows."""
    benchmark(SUITE, __doc__, RULE, MINUTES, arguments)


if __name__ == "__main__":
    main()
