"""Six sharing schemes along domains times five alignments, on digits8 and MNIST to MNIST-M: 3 seeds."""

from __future__ import annotations

from benchmarks._suites import Benchmark, main

BENCHMARK = Benchmark(suite="sharing_x_alignment", goals=(), minutes=60, published={})

if __name__ == "__main__":
    main(BENCHMARK)
