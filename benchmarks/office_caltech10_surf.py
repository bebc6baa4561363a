"""Object classes across four photo sources by SURF features, 12 pairs, 5 seeds, all recipes."""

from __future__ import annotations

from benchmarks._suites import Benchmark, main

BENCHMARK = Benchmark(
    suite="office_caltech10_surf",
    goals=(),
    minutes=15,
    published={
        "1-NN (Long et al. 2013)": 0.314,
        "tuned linear SVM": 0.464,
        "CORAL (Sun et al. 2016)": 0.488,
        "MEDA (Wang et al. 2018)": 0.527,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
