"""How one task's classes relate to another's, from a head's outputs and labels."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

_WIDEST = math.log(100.0)


def relation(outputs: Tensor, labels: Tensor, classes: int) -> Tensor:
    """p(s | y) (classes, s): the mean of softmax(outputs) (n, s) over the rows of each label y (n,).

    A class without rows gets the mean over all rows, so that it says nothing and breaks nothing; without any label all
    is even.
    """
    p = outputs.double().softmax(1)
    member = torch.nn.functional.one_hot(labels.clamp_min(0), classes).double() * (labels >= 0).double().unsqueeze(1)
    counts = member.sum(0).unsqueeze(1)
    even = torch.full((1, p.shape[1]), 1 / p.shape[1], dtype=p.dtype, device=p.device)
    everywhere = (member.sum(1) @ p / counts.sum()).unsqueeze(0) if counts.sum() > 0 else even
    return torch.where(counts > 0, member.T @ p / counts.clamp_min(1), everywhere)


def temperature_for(outputs: Tensor, labels: Tensor) -> float:
    """The temperature, between 0.01 and 100, that divides logits (n, c) to the smallest cross-entropy of labels (n,).

    Guo et al., ICML 2017, section 4.2. The loss is convex in 1 / T. 1 without labels.
    """
    known = (labels >= 0).cpu().numpy()
    logits, classes = outputs.double().cpu().numpy()[known], labels.cpu().numpy()[known]
    if not len(classes):
        return 1.0

    def loss(logarithm: float) -> float:
        z = logits * math.exp(-logarithm)
        top = z.max(axis=1, keepdims=True)
        sums = np.log(np.exp(z - top).sum(axis=1)) + top[:, 0]
        return float((sums - z[np.arange(len(z)), classes]).mean())

    return math.exp(float(minimize_scalar(loss, bounds=(-_WIDEST, _WIDEST), method="bounded").x))
