"""MNIST to MNIST-M with random affine changes of the source's training images: 3 seeds."""

from __future__ import annotations

from benchmarks._suites import Benchmark, Goal, main

BENCHMARK = Benchmark(
    suite="mnist_m_augmented",
    goals=(
        Goal("chosen", "information_maximisation", 0.955),
        Goal("chosen", "information_maximisation", 0.955, reading="chosen"),
        Goal("chosen", "information_maximisation", 0.955, reading="ensemble"),
    ),
    minutes=25,
    published={},
)

if __name__ == "__main__":
    main(BENCHMARK)
