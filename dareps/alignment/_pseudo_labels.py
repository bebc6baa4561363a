"""Pseudo-labels and which rows count, as weights of a fixed size."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def one_hot(p: Tensor) -> Tensor:
    """1 at each row's largest value of p (n, c), the first of equal ones, and 0 elsewhere, same shape and dtype."""
    classes = torch.arange(p.shape[1], device=p.device)
    return (p.argmax(1, keepdim=True) == classes).to(p.dtype)


def confident(p: Tensor, least: float | Tensor) -> Tensor:
    """1 for rows of p (n, c) whose largest value is at least `least`, else 0: (n,)."""
    return (p.amax(1) >= least).to(p.dtype)


def within_quota(p: Tensor, share: float) -> Tensor:
    """How far each row of p (n, c) is within its class's share * n / c rows, the surest first, from 0 to 1: (n,).

    A row's rank is the number of surer rows of its class; the last row of a quota that is no whole number counts in
    part, and rows that are equally sure share what is left of it.
    """
    top, label = p.amax(1), p.argmax(1)
    same = label.unsqueeze(1) == label
    surer = (same & (top.unsqueeze(1) < top)).to(p.dtype).sum(1)
    alike = (same & (top.unsqueeze(1) == top)).to(p.dtype).sum(1)
    return ((share * len(p) / p.shape[1] - surer) / alike).clamp(0, 1)


def cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """The cross-entropy of each row of logits (n, c) against probabilities (n, c): (n,)."""
    return -(labels * logits.log_softmax(1)).sum(1)


class RunningMean(nn.Module):
    """An exponential average of vectors over training steps, free of a bias towards its start; still in evaluation.

    Args:
        width: Length of the vectors.
        memory: Share of the average that is kept in a step.
    """

    sum: Tensor
    mass: Tensor

    def __init__(self, width: int, memory: float) -> None:
        super().__init__()
        self.memory = memory
        self.register_buffer("sum", torch.zeros(width))
        self.register_buffer("mass", torch.zeros(()))

    def forward(self, newest: Tensor) -> Tensor:
        """The average with `newest` (width,) taken in, same shape."""
        if self.training:
            self.sum.mul_(self.memory).add_(newest, alpha=1 - self.memory)
            self.mass.mul_(self.memory).add_(1 - self.memory)
        return torch.where(self.mass > 0, self.sum / self.mass, newest).to(newest.dtype)


def rescaled(p: Tensor, factor: Tensor) -> Tensor:
    """p (n, c) times factor (c,), every row scaled to sum 1."""
    scaled = p * factor
    return scaled / scaled.sum(1, keepdim=True)
