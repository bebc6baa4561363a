"""Sentiment in 16 review domains: a model for each against what they share, 3 seeds."""

from __future__ import annotations

from benchmarks._suites import Benchmark, main

BENCHMARK = Benchmark(
    suite="fdu_mtl",
    goals=(),
    minutes=30,
    published={
        "accuracy with pretrained embeddings: single task (Liu et al. 2017)": 0.820,
        "accuracy with pretrained embeddings: fully shared (Liu et al. 2017)": 0.847,
        "accuracy with pretrained embeddings: shared-private (Liu et al. 2017)": 0.851,
        "accuracy with pretrained embeddings: adversarial shared-private (Liu et al. 2017)": 0.861,
    },
    rule="source_score",
)

if __name__ == "__main__":
    main(BENCHMARK)
