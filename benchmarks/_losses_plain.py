"""The losses as one writes them down in PyTorch: Gram matrices, an exponential per kernel, everything kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks._loss_work import CLASSES, Inputs, Loss


def _distances(x: Tensor, y: Tensor) -> Tensor:
    gram = x @ y.T
    return (x.square().sum(1).unsqueeze(1) + y.square().sum(1).unsqueeze(0) - 2 * gram).clamp_min(0)


def _kernel(x: Tensor, octaves: int = 2) -> Tensor:
    distances = _distances(x, x)
    b = distances.detach().sum() / (len(x) * (len(x) - 1))
    return torch.stack([(-distances / (2.0**i * b)).exp() for i in range(-octaves, octaves + 1)]).sum(0)


def _gap(kernel: Tensor, n: int) -> Tensor:
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def _mmd(rows: Inputs, octaves: int = 2) -> Tensor:
    return _gap(_kernel(torch.cat((rows.source, rows.target)), octaves), len(rows.source))


def _joint(rows: Inputs) -> Tensor:
    softmax = torch.cat((rows.source_logits, rows.target_logits)).softmax(1)
    predictions = (-_distances(softmax, softmax) / 1.68).exp()
    return _gap(_kernel(torch.cat((rows.source, rows.target))) * predictions, len(rows.source))


def _local(rows: Inputs) -> Tensor:
    ours = functional.one_hot(rows.labels, CLASSES).to(rows.source.dtype)
    soft = rows.target_logits.softmax(1)
    kernel, n = _kernel(torch.cat((rows.source, rows.target))), len(rows.source)
    w, v = ours / ours.sum(0), soft / soft.sum(0)
    parts = (w @ w.T * kernel[:n, :n]).sum(), (v @ v.T * kernel[n:, n:]).sum(), (w @ v.T * kernel[:n, n:]).sum()
    return (parts[0] + parts[1] - 2 * parts[2]) / CLASSES


def _classes(rows: Inputs) -> Tensor:
    kernel, n = _kernel(torch.cat((rows.source, rows.target))), len(rows.source)
    w, v = (functional.one_hot(each, CLASSES).float() for each in (rows.labels, rows.target_logits.argmax(1)))
    w, v = w / w.sum(0), v / v.sum(0)
    within = (w.T @ kernel[:n, :n] @ w).diagonal().unsqueeze(1) + (v.T @ kernel[n:, n:] @ v).diagonal().unsqueeze(0)
    table = within - 2 * (w.T @ kernel[:n, n:] @ v)
    same = table.diagonal().mean()
    return same - (table.sum() - table.diagonal().sum()) / (CLASSES * (CLASSES - 1))


def _energy(rows: Inputs) -> Tensor:
    x, y = rows.source, rows.target
    return 2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()


def _homm(rows: Inputs) -> Tensor:
    pooled = torch.cat((rows.source, rows.target))
    return _gap((pooled @ pooled.T / pooled.shape[1]) ** 3, len(rows.source))


def _coral(rows: Inputs) -> Tensor:
    gap = torch.cov(rows.source.T) - torch.cov(rows.target.T)
    return gap.square().sum() / (4 * len(gap) ** 2)


def _cmd(rows: Inputs) -> Tensor:
    x, y = (side - side.mean(0) for side in (rows.source, rows.target))
    gaps = [rows.source.mean(0) - rows.target.mean(0), *((x**k).mean(0) - (y**k).mean(0) for k in range(2, 6))]
    total: Tensor = torch.linalg.vector_norm(torch.stack(gaps), dim=1).sum()
    return total


def _sliced(rows: Inputs) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    directions = functional.normalize(torch.randn(rows.source.shape[1], 128, generator=draw), dim=0)
    x, y = ((side @ directions).sort(0).values for side in (rows.source, rows.target))
    return (x - y).square().mean()


def _transport(x: Tensor, y: Tensor, epsilon: Tensor, iterations: int = 50) -> Tensor:
    """Entropic transport with whole matrices; potentials carry no gradient."""
    cost = _distances(x, y)
    fixed = cost.detach()
    f, g = fixed.new_zeros(len(x)), fixed.new_zeros(len(y))
    for _ in range(iterations):
        f = (f + epsilon * (math.log(len(y)) - ((g - fixed) / epsilon).logsumexp(1))) / 2
        g = (g + epsilon * (math.log(len(x)) - ((f.unsqueeze(1) - fixed) / epsilon).logsumexp(0))) / 2
    plan = ((f.unsqueeze(1) + g - fixed) / epsilon).exp() / fixed.numel()
    return (plan * cost).sum()


def _sinkhorn(rows: Inputs) -> Tensor:
    x, y = rows.source, rows.target
    epsilon = _distances(x.detach(), y.detach()).mean() * 0.05
    return _transport(x, y, epsilon) - _transport(x, x, epsilon) / 2 - _transport(y, y, epsilon) / 2


LOSSES: Mapping[str, Loss] = {
    "mmd": _mmd,
    "coral": _coral,
    "cmd": _cmd,
    "sliced": _sliced,
    "energy": _energy,
    "sinkhorn": _sinkhorn,
    "joint_mmd": _joint,
    "local_mmd": _local,
    "homm": _homm,
    "class_alignment": _classes,
    **{f"mmd_{2 * octaves + 1}": partial(_mmd, octaves=octaves) for octaves in range(9)},
}
