"""Sentiment across four product domains, 12 pairs, 3 seeds: every shipped recipe, some on denoised features."""

from __future__ import annotations

from benchmarks._suites import Benchmark, Goal, main

BENCHMARK = Benchmark(
    suite="amazon_all",
    goals=(
        Goal("chosen", "information_maximisation", 0.82),
        Goal("chosen", "information_maximisation", 0.82, reading="ensemble"),
    ),
    minutes=40,
    published={
        "DANN (Ganin et al. 2016)": 0.763,
        "linear SVM on log tf-idf": 0.782,
        "VFAE (Louizos et al. 2016)": 0.784,
        "CMD (Zellinger et al. 2017)": 0.798,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
