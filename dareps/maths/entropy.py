"""Entropies of predictions from their logarithms, with value and gradient 0 where a probability is 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_probabilities(logits: Tensor) -> Tensor:
    """log softmax of logits (m, c), cut off at the most negative number.

    0 times a logarithm of 0 is then 0, also for classes that a logit of -inf rules out.
    """
    return logits.log_softmax(1).clamp_min(torch.finfo(logits.dtype).min)


def entropies(log_p: Tensor) -> Tensor:
    """-sum_k p_k log p_k over the last axis of log-probabilities (..., c): (...), in [0, log c]."""
    return -(log_p.exp() * log_p).sum(-1)


def log_mean(log_p: Tensor) -> Tensor:
    """log of the mean prediction (c,) of log-probabilities (m, c), without leaving the logarithm."""
    return log_p.logsumexp(0) - math.log(len(log_p))
