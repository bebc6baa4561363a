"""What a child process does for `benchmarks.losses`: time a loss, or watch its memory. Peers run it: no dareps here."""

from __future__ import annotations

import ctypes
import importlib
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

CLASSES = 10


@dataclass(frozen=True, slots=True)
class Inputs:
    """Features (n, d) and logits (n, c) of both sides, and the source's labels (n,); float32."""

    source: Tensor
    target: Tensor
    labels: Tensor
    source_logits: Tensor
    target_logits: Tensor

    def fresh(self) -> Inputs:
        """The same with features that collect gradients anew."""
        source, target = (each.detach().requires_grad_() for each in (self.source, self.target))
        return Inputs(source, target, self.labels, self.source_logits, self.target_logits)


Loss = Callable[[Inputs], Tensor]


@lru_cache(maxsize=1)
def inputs(n: int, d: int, device: str = "cpu") -> Inputs:
    """Rows in [0, 1], shifted on one side; the same in every process."""
    draw = torch.Generator().manual_seed(20)
    source, target = (torch.randn(n, d, generator=draw).add(shift).sigmoid() for shift in (0.0, 0.3))
    logits = [torch.randn(n, CLASSES, generator=draw) for _ in range(2)]
    labels = torch.arange(n) % CLASSES
    return Inputs(*(each.to(device) for each in (source, target, labels, *logits)))


def regularisation(rows: Inputs) -> float:
    """0.05 times the mean of |x - y|^2, from moments: what our entropic transport uses."""
    x, y = rows.source.detach(), rows.target.detach()
    mean = x.square().sum(1).mean() + y.square().sum(1).mean() - 2 * (x.mean(0) @ y.mean(0))
    return 0.05 * float(mean)


def _step(loss: Loss, data: Inputs) -> None:
    loss(data.fresh()).backward()  # type: ignore[no-untyped-call]


def _loss(module: str, name: str) -> Loss:
    found: Loss = importlib.import_module(module).LOSSES[name]
    return found


def seconds(module: str, name: str, n: int, d: int, count: int = 1, device: str = "cpu") -> float:
    """Seconds per forward and backward pass, the mean over `count`."""
    loss, data = _loss(module, name), inputs(n, d, device)
    _wait(device)
    begin = time.perf_counter()
    for _ in range(count):
        _step(loss, data)
    _wait(device)
    return (time.perf_counter() - begin) / count


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def copy_seconds(n: int, d: int, count: int) -> float:
    """Seconds in which both sides' features are copied."""
    data = inputs(n, d)
    out = torch.empty_like(data.source), torch.empty_like(data.target)
    begin = time.perf_counter()
    for _ in range(count):
        out[0].copy_(data.source)
        out[1].copy_(data.target)
    return (time.perf_counter() - begin) / count


def keep_memory() -> int:
    """Stop handing freed memory back, whose return costs more than a copy; 1 where glibc agreed."""
    library = ctypes.CDLL(None)
    mmap_max, trim_threshold = -4, -1
    return int(library.mallopt(mmap_max, 0) and library.mallopt(trim_threshold, 2**31 - 1))


def product_seconds(n: int, d: int, columns: int, count: int) -> float:
    """Seconds of the matrix products alone that project both sides on directions and carry slopes back."""
    data = inputs(n, d)
    directions = data.source.new_ones(d, columns)
    begin = time.perf_counter()
    for _ in range(count):
        for rows in (data.source, data.target):
            along = directions.T @ rows.T
            along.T @ directions.T
    return (time.perf_counter() - begin) / count


def extra_memory(module: str, name: str, n: int, d: int) -> float:
    """Bytes by which the peak of resident memory in one pass exceeds what the rows needed, gradients included."""
    loss = _loss(module, name)
    _step(loss, inputs(600, d))
    data = inputs(n, d)
    before = _resident()
    _step(loss, data)
    return max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before, 0)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
