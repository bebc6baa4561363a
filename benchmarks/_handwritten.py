"""The loops that our loop is compared with: the best plain PyTorch a careful person writes, and the usual one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks._cases import BATCH, NETWORKS, RATE, WARM_UP, Case, Network, discriminator, tensors

GAMMA = 10.0
"""Steepness of the published ramp of the reversal strength (Ganin et al., JMLR 2016, section 5.2.2)."""
Loss = Callable[[Tensor, Tensor, float], Tensor]


class Reverse(torch.autograd.Function):
    """Identity forward, gradient times -strength backward."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, strength: float) -> Tensor:
        """`x` as it is."""
        ctx.strength = strength  # type: ignore[attr-defined]
        return x.view_as(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        """-strength times the gradient; none for the strength."""
        return gradients[0] * -ctx.strength, None  # type: ignore[attr-defined]


def fast(network: str, method: str, steps: int) -> float:
    """Seconds per step of the careful loop.

    Rows live in one tensor and are gathered by shuffled indices (with index_select, on CPU faster than brackets),
    one forward and one backward pass serve both domains, Adam is fused and losses stay where they are.
    """
    case = Case(network, method)
    modules, loss = _problem(case)
    optimizer = torch.optim.Adam(modules.parameters(), RATE, fused=True)
    draw = _gathered(case)
    total, count = torch.zeros(()), WARM_UP + steps
    begin = 0.0
    for step in range(count):
        if step == WARM_UP:
            begin = time.perf_counter()
        x, y = draw()
        value = loss(x, y, step / count)
        optimizer.zero_grad()
        torch.autograd.backward(value)
        optimizer.step()
        total += value.detach()
    return (time.perf_counter() - begin) / steps


def plain(network: str, method: str, steps: int) -> float:
    """Seconds per step of the usual loop: a DataLoader per domain, Adam as it comes, `.item()` for the log."""
    case = Case(network, method)
    modules, loss = _problem(case)
    optimizer = torch.optim.Adam(modules.parameters(), RATE)
    batches = _loaded(case)
    log, count = [], WARM_UP + steps
    begin = 0.0
    for step in range(count):
        if step == WARM_UP:
            begin = time.perf_counter()
        x, y = next(batches)
        value = loss(x, y, step / count)
        optimizer.zero_grad()
        torch.autograd.backward(value)
        optimizer.step()
        log.append(value.item())
    return (time.perf_counter() - begin) / steps


def _problem(case: Case) -> tuple[nn.Module, Loss]:
    """What is trained, and the loss of rows x (source first), source labels y and progress."""
    torch.manual_seed(0)
    net = NETWORKS[case.network]()
    if case.method == "source_only":
        return net, lambda x, y, progress: functional.cross_entropy(net(x), y)
    critic = discriminator(net.features)
    domains = torch.cat([torch.zeros(BATCH, 1), torch.ones(BATCH, 1)])
    return nn.ModuleList([net, critic]), _adversarial(net, critic, domains)


def _adversarial(net: Network, critic: nn.Module, domains: Tensor) -> Loss:
    """DANN's loss of one joint batch; the reversal alone carries the strength."""

    def loss(x: Tensor, y: Tensor, progress: float) -> Tensor:
        strength = 2 / (1 + math.exp(-GAMMA * progress)) - 1
        features = net.encoder(x)
        task = functional.cross_entropy(net.head(features[:BATCH]), y)
        logits = critic(Reverse.apply(features, strength))
        return task + functional.binary_cross_entropy_with_logits(logits, domains)

    return loss


def _gathered(case: Case) -> Callable[[], tuple[Tensor, Tensor]]:
    """A function that gives the next batch from one resident tensor of all rows."""
    source, labels, target = tensors(case)
    if case.method == "source_only":
        rows = _indices(len(source), 0)

        def draw() -> tuple[Tensor, Tensor]:
            index = next(rows)
            return source.index_select(0, index), labels.index_select(0, index)

        return draw
    everything = torch.cat([source, target])
    ours, theirs = _indices(len(source), 0), _indices(len(target), len(source))

    def draw_both() -> tuple[Tensor, Tensor]:
        index = next(ours)
        both = torch.cat([index, next(theirs)])
        return everything.index_select(0, both), labels.index_select(0, index)

    return draw_both


def _indices(n: int, offset: int) -> Iterator[Tensor]:
    """Row numbers, BATCH at a time, reshuffled when fewer than that are left."""
    while True:
        order = torch.randperm(n) + offset
        yield from order[: n - n % BATCH].view(-1, BATCH)


def _loaded(case: Case) -> Iterator[tuple[Tensor, Tensor]]:
    """The same batches from a DataLoader per domain."""
    source, labels, target = tensors(case)
    ours = _forever(DataLoader(TensorDataset(source, labels), BATCH, shuffle=True, drop_last=True))
    if case.method == "source_only":
        for x, y in ours:
            yield x, y
    theirs = _forever(DataLoader(TensorDataset(target), BATCH, shuffle=True, drop_last=True))
    for (x, y), (other,) in zip(ours, theirs, strict=True):
        yield torch.cat([x, other]), y


def _forever(loader: DataLoader[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    """Passes over the loader without end."""
    while True:
        yield from loader
