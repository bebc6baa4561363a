"""The work that every loop under comparison does: rows, network, batch, method. Peers import it, so no dareps here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

BATCH = 64
"""Rows per domain and step."""
WARM_UP = 20
"""Steps before the clock starts."""
RATE = 1e-3
WIDTH = 100
"""Hidden units of the discriminator."""
METHODS = ("source_only", "dann")


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: a network of `NETWORKS` trained by a method of `METHODS`."""

    network: str
    method: str

    @property
    def title(self) -> str:
        """How tables call it."""
        return f"{self.network} {self.method}"


@dataclass(frozen=True, slots=True)
class Arrays:
    """Source rows (n, *shape) with labels (n,) and target rows (m, *shape); float32 and int64."""

    source: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    target: npt.NDArray[np.float32]


class Network(nn.Module):
    """An encoder to (n, features) and a linear head to (n, classes)."""

    def __init__(self, encoder: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(features, classes)
        self.features = features

    def forward(self, x: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Logits (n, classes) of x (n, *shape); skada passes weights, which nobody uses."""
        logits: Tensor = self.head(self.encoder(x))
        return logits


def amazon_mlp() -> Network:
    """5000 - 50 - 2 with ReLU."""
    return Network(nn.Sequential(nn.Flatten(), nn.Linear(5000, 50), nn.ReLU()), 50, 2)


def digit_cnn() -> Network:
    """conv5x5x32 - pool - conv5x5x48 - pool - 100 - 10 with ReLU, on 1x28x28 without padding, weights channels-last."""
    first = (nn.Conv2d(1, 32, 5), nn.MaxPool2d(2), nn.ReLU())
    second = (nn.Conv2d(32, 48, 5), nn.MaxPool2d(2), nn.ReLU())
    layers = nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(768, 100), nn.ReLU())
    return Network(layers.to(memory_format=torch.channels_last), 100, 10)


NETWORKS: dict[str, Callable[[], Network]] = {"amazon_mlp": amazon_mlp, "digit_cnn": digit_cnn}


def discriminator(features: int) -> nn.Sequential:
    """features - 100 - 1 with ReLU: one domain logit (n, 1)."""
    return nn.Sequential(nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))


@lru_cache(maxsize=1)
def arrays(network: str) -> Arrays:
    """Made-up rows of the right shape, the same in every process: no download, and speed does not read values."""
    rng = np.random.Generator(np.random.Philox(key=20))
    if network == "amazon_mlp":
        return Arrays(_counts(rng, 0.0), rng.integers(0, 2, 2000), _counts(rng, 2.0))
    images = rng.random((2, 4000, 1, 28, 28), dtype=np.float32)
    return Arrays(images[0], rng.integers(0, 10, 4000), images[1])


def tensors(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """`arrays` as tensors that share their memory: source, labels, target."""
    rows = arrays(case.network)
    return torch.from_numpy(rows.source), torch.from_numpy(rows.labels), torch.from_numpy(rows.target)


def _counts(rng: np.random.Generator, shift: float) -> npt.NDArray[np.float32]:
    """2000 sparse rows of 5000 word counts, about 70 words each, rates falling like a text's."""
    rates = 12 / (np.arange(5000) + 10 + shift)
    return rng.poisson(rates, (2000, 5000)).astype(np.float32)
