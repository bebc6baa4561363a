"""Training through pytorch-adapt: its data sets, loader and hooks in the loop that its README documents.

Its Ignite trainer, which adds work to every step, pins a release for torch < 2 and is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch
from pytorch_adapt.datasets import (  # type: ignore[import-not-found]
    CombinedSourceAndTargetDataset,
    DataloaderCreator,
    SourceDataset,
    TargetDataset,
)
from pytorch_adapt.hooks import ClassifierHook, DANNHook  # type: ignore[import-not-found]
from pytorch_adapt.utils.common_functions import batch_to_device  # type: ignore[import-not-found]
from torch import nn
from torch.utils.data import TensorDataset

from benchmarks._cases import BATCH, NETWORKS, RATE, WARM_UP, Case, discriminator, tensors


def seconds_per_step(network: str, method: str, steps: int) -> float:
    """Seconds per step of the documented loop."""
    torch.manual_seed(0)
    case = Case(network, method)
    models, hook = _parts(case)
    batches = _batches(case)
    begin = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            begin = time.perf_counter()
        hook({**models, **batch_to_device(next(batches), torch.device("cpu"))})
    return (time.perf_counter() - begin) / steps


def _parts(case: Case) -> tuple[dict[str, nn.Module], Any]:
    """Generator G, classifier C and discriminator D, and the hook that trains them with an Adam each."""
    net = NETWORKS[case.network]()
    models: dict[str, nn.Module] = {"G": net.encoder, "C": net.head}
    if case.method == "dann":
        models["D"] = nn.Sequential(*discriminator(net.features), nn.Flatten(0))
    optimizers = [torch.optim.Adam(model.parameters(), RATE) for model in models.values()]
    return models, (DANNHook if case.method == "dann" else ClassifierHook)(optimizers)


def _batches(case: Case) -> Iterator[dict[str, Any]]:
    """Passes over its loader without end; it draws a source row for each target row."""
    source, labels, target = tensors(case)
    rows = SourceDataset(TensorDataset(source, labels))
    if case.method == "dann":
        rows = CombinedSourceAndTargetDataset(rows, TargetDataset(_Inputs(target)))
    loader = DataloaderCreator(batch_size=BATCH)(train=rows)["train"]
    while True:
        yield from loader


class _Inputs(TensorDataset):
    """Rows without labels, each bare as TargetDataset expects it."""

    def __getitem__(self, index: int) -> torch.Tensor:  # type: ignore[override]
        """Row `index`."""
        row: torch.Tensor = self.tensors[0][index]
        return row
