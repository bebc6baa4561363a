"""The left and the right of two overlaid digits: single tasks against schemes and balancers, 3 seeds."""

from __future__ import annotations

from benchmarks._suites import Benchmark, main

BENCHMARK = Benchmark(
    suite="multi_mnist",
    goals=(),
    minutes=20,
    published={
        "left: single task (Sener & Koltun 2018)": 0.9723,
        "right: single task (Sener & Koltun 2018)": 0.9590,
        "left: uniform weights (Sener & Koltun 2018)": 0.9646,
        "right: uniform weights (Sener & Koltun 2018)": 0.9499,
        "left: MGDA-UB (Sener & Koltun 2018)": 0.9726,
        "right: MGDA-UB (Sener & Koltun 2018)": 0.9590,
    },
    rule="source_score",
)

if __name__ == "__main__":
    main(BENCHMARK)
