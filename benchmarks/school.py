"""Exam scores in 139 schools: a model for each against what they share, 3 seeds."""

from __future__ import annotations

from benchmarks._suites import Benchmark, main

BENCHMARK = Benchmark(suite="school", goals=(), minutes=30, published={}, rule="source_score")

if __name__ == "__main__":
    main(BENCHMARK)
