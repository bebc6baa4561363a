"""Sentiment across four product domains, 12 pairs, 3 seeds, the scored rows among the unlabelled training rows."""

from __future__ import annotations

from benchmarks._suites import Benchmark, Goal, main

BENCHMARK = Benchmark(
    suite="amazon_reviews_transductive",
    goals=(
        Goal("chosen", "information_maximisation", 0.83),
        Goal("chosen", "information_maximisation", 0.83, reading="ensemble"),
    ),
    minutes=15,
    published={},
)

if __name__ == "__main__":
    main(BENCHMARK)
