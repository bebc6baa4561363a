"""MMD on an accelerator: the fused kernel against the tiles, the plain form and what the device's arithmetic allows."""

from __future__ import annotations

import time
from itertools import product

import torch

from benchmarks._cells import OURS, PLAIN
from benchmarks._loss_work import seconds
from benchmarks._measure import Figure, Samples, WorkerError, alternate
from dareps.maths.pairs import fused

_ROWS, _WIDTHS = (128, 512, 2048, 8192, 32768), (64, 256, 2048)
_ROUNDS = 51
FUSED = "fused"


def figures(device: str, quick: bool) -> list[Figure]:
    """Times, ratios, and the share of the speed of a float32 matrix product that the fused kernel reaches."""
    torch.backends.cuda.matmul.allow_tf32 = False
    rate = _product_rate(device)
    found = [Figure("float32 matrix product", rate / 1e12, unit="TFLOP/s", group=torch.cuda.get_device_name())]
    for n, d in product(_ROWS[:2] if quick else _ROWS, _WIDTHS):
        found += _case(n, d, device, rate, 3 if quick else _ROUNDS)
    return found


def _case(n: int, d: int, device: str, rate: float, rounds: int) -> list[Figure]:
    measures = {
        OURS: lambda: _timed("benchmarks._losses_ours", n, d, device, False),
        FUSED: lambda: _timed("benchmarks._losses_ours", n, d, device, True),
        PLAIN: lambda: _timed("benchmarks._losses_plain", n, d, device, False),
    }
    alternate(measures, 1)  # compiles
    samples = alternate(measures, rounds)
    group = f"mmd n={n} d={d}"
    rows = [samples.median(name, f"{name}, per pass", 1e3, "ms") for name in measures]
    rows += [samples.ratio(name, FUSED, f"{name} / {FUSED}") for name in (OURS, PLAIN)]
    return [_grouped(row, group) for row in [*rows, _share(samples, n, d, rate)]]


def _grouped(figure: Figure, group: str) -> Figure:
    return Figure(figure.what, figure.value, unit=figure.unit, spread=figure.spread, note=figure.note, group=group)


def _share(samples: Samples, n: int, d: int, rate: float) -> Figure:
    """Two products of (2 n, 2 n, d) are the least that value and gradient need without symmetry."""
    needed = 2 * 2 * (2 * n) ** 2 * d / rate
    shares = [needed / time for time in samples.values.get(FUSED, ())]
    value = sorted(shares)[len(shares) // 2] if shares else None
    return Figure("fused: share of the matrix product's speed", value, note=samples.faults.get(FUSED, ""))


def _timed(module: str, n: int, d: int, device: str, on: bool) -> float:
    """Seconds per pass, the mean over ten."""
    try:
        with fused(on):
            return seconds(module, "mmd", n, d, 10, device)
    except torch.OutOfMemoryError:
        raise WorkerError("out of memory") from None


def _product_rate(device: str) -> float:
    """FLOP per second of a large float32 matrix product."""
    matrix = torch.randn(8192, 8192, device=device)
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        matrix @ matrix
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return float(2 * 8192**3 / min(times))
