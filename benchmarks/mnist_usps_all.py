"""MNIST and USPS both ways with random affine changes, 3 seeds: every shipped recipe that trains a network."""

from __future__ import annotations

from benchmarks._suites import Benchmark, Goal, main

BENCHMARK = Benchmark(
    suite="mnist_usps_all",
    goals=(
        Goal("chosen", "information_maximisation", 0.975),
        Goal("chosen", "information_maximisation", 0.975, reading="chosen"),
        Goal("chosen", "information_maximisation", 0.975, reading="ensemble"),
    ),
    minutes=20,
    published={
        "source only, no augmentation (skada-bench)": 0.838,
        "MCC, no augmentation (skada-bench)": 0.943,
        "target only, no augmentation (skada-bench)": 0.985,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
