"""Object classes across four photo sources, photographs of 64 by 64 pixels from scratch, 12 pairs, 3 seeds."""

from __future__ import annotations

from benchmarks._suites import Benchmark, main

BENCHMARK = Benchmark(suite="office_caltech10_images", goals=(), minutes=60, published={})

if __name__ == "__main__":
    main(BENCHMARK)
