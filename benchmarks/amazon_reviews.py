"""Sentiment across four product domains, 12 pairs, 5 seeds, all recipes: accuracy and wall time."""

from __future__ import annotations

from benchmarks._suites import Benchmark, Goal, main

BENCHMARK = Benchmark(
    suite="amazon_reviews",
    goals=(
        Goal("source_only", "information_maximisation", 0.765),
        Goal("chosen", "information_maximisation", 0.795),
        Goal("chosen", "domain_bound", 0.795),
    ),
    minutes=15,
    published={
        "DANN (Ganin et al. 2016)": 0.763,
        "linear SVM on counts": 0.766,
        "linear SVM on log tf-idf": 0.782,
        "VFAE (Louizos et al. 2016)": 0.784,
        "CMD without the authors' leak": 0.792,
        "CMD (Zellinger et al. 2017)": 0.798,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
