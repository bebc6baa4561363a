"""Training through skada.deep (skorch): its own data set, balanced loader, criterion and fit."""

from __future__ import annotations

import time

import numpy as np
import torch
from skada.deep import DANN, SourceOnly  # type: ignore[import-not-found]
from skada.deep.base import DomainAwareNet  # type: ignore[import-not-found]
from skada.deep.modules import GradientReversalLayer  # type: ignore[import-not-found]
from skorch.callbacks import Callback  # type: ignore[import-not-found]
from torch import Tensor, nn

from benchmarks._cases import BATCH, NETWORKS, RATE, WARM_UP, Network, arrays, discriminator


class Discriminator(nn.Module):
    """Reversal and a discriminator with logits; skada's own ends in a softmax over one unit and never learns."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layers = discriminator(features)

    def forward(self, x: Tensor) -> Tensor:
        """Domain logits (n,) of features (n, d); skada keeps the reversal strength at 1."""
        logits: Tensor = self.layers(GradientReversalLayer.apply(x, 1.0)).squeeze(1)
        return logits


class Clock(Callback):  # type: ignore[misc]
    """Times the steps after the warm-up and ends the fit after the last one."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.count = 0
        self.begin = self.end = 0.0

    def on_batch_end(self, net: DomainAwareNet, **_: object) -> None:
        """Count the step; an interrupt is skorch's way to stop inside an epoch."""
        self.count += 1
        if self.count == WARM_UP:
            self.begin = time.perf_counter()
        if self.count == WARM_UP + self.steps:
            self.end = time.perf_counter()
            raise KeyboardInterrupt


def seconds_per_step(network: str, method: str, steps: int) -> float:
    """Seconds per step of `fit`."""
    torch.manual_seed(0)
    clock = Clock(steps)
    net = _net(method, NETWORKS[network](), clock)
    rows = arrays(network)
    x = np.concatenate([rows.source, rows.target])
    y = np.concatenate([rows.labels, np.full(len(rows.target), -1)])
    domain = np.concatenate([np.ones(len(rows.source), int), np.full(len(rows.target), -2)])
    net.fit(x, y, domain)
    if not clock.end:
        raise RuntimeError(f"skada stopped after {clock.count} steps")
    return (clock.end - clock.begin) / steps


def _net(method: str, network: Network, clock: Clock) -> DomainAwareNet:
    """skada's estimator; validation, printing and scoring are off."""
    settings = {
        "optimizer": torch.optim.Adam, "lr": RATE, "batch_size": BATCH, "train_split": None, "verbose": 0,
        "max_epochs": 10**6, "callbacks": [clock], "callbacks__valid_acc": None,
    }  # fmt: skip
    if method == "source_only":
        return SourceOnly(network, "encoder", **settings)
    return DANN(
        network, "encoder", domain_classifier=Discriminator(network.features),
        domain_criterion=nn.BCEWithLogitsLoss(), **settings,
    )  # fmt: skip
