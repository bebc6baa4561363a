"""MNIST and USPS both ways with random affine changes of every training image: 3 seeds, all recipes."""

from __future__ import annotations

from benchmarks._suites import Benchmark, Goal, main

BENCHMARK = Benchmark(
    suite="digits_augmented",
    goals=(Goal("chosen", "information_maximisation", 0.96),),
    minutes=60,
    published={"mnist and usps: target only, without augmentation (skada-bench)": 0.985},
)

if __name__ == "__main__":
    main(BENCHMARK)
