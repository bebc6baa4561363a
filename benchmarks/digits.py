"""MNIST and USPS both ways, and MNIST to MNIST-M: 3 seeds, all recipes."""

from __future__ import annotations

from benchmarks._suites import Benchmark, Goal, main

BOTH_WAYS = ("mnist:usps", "usps:mnist")
BENCHMARK = Benchmark(
    suite="digits",
    goals=(
        Goal("chosen", "information_maximisation", 0.94, BOTH_WAYS),
        Goal("chosen", "information_maximisation", 0.94, ("mnist:mnist_m",)),
    ),
    minutes=60,
    published={
        "mnist and usps: source only (skada-bench)": 0.838,
        "mnist and usps: CORAL (skada-bench)": 0.935,
        "mnist and usps: MCC (skada-bench)": 0.943,
        "mnist and usps: target only (skada-bench)": 0.985,
        "mnist to mnist_m: DANN (Ganin et al. 2016)": 0.767,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
