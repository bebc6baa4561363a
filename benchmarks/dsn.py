"""Domain separation networks against domain-adversarial training, MNIST to MNIST-M, 6000 steps, 3 seeds."""

from __future__ import annotations

from benchmarks._suites import Benchmark, main

BENCHMARK = Benchmark(
    suite="dsn",
    goals=(),
    minutes=40,
    published={
        "mnist to mnist_m: source only (Bousmalis et al. 2016)": 0.566,
        "mnist to mnist_m: DANN (Bousmalis et al. 2016)": 0.774,
        "mnist to mnist_m: DSN (Bousmalis et al. 2016)": 0.832,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
