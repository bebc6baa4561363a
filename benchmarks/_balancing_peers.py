"""Balanced steps outside our loop, with UPGrad's weights: TorchJD's engine, and LibMTL's published algorithm.

LibMTL's package needs a CUDA device, so its `AbsWeighting` is restated: all losses in one tensor, a pass back for each
of them into a row of a T x P matrix, weights found on the host from the products of the rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchjd import aggregation
from torchjd.autojac import backward, jac_to_grad, mtl_backward

from benchmarks._balancing_ours import CLASSES, labels
from benchmarks._cases import BATCH, NETWORKS, RATE, arrays


class Model:
    """A network with a head for each task, its optimizer and its rows.

    Args:
        network: One of `NETWORKS`.
        tasks: How many.
    """

    def __init__(self, network: str, tasks: int) -> None:
        made = NETWORKS[network]()
        self.encoder, self.heads = made.encoder, nn.ModuleList(nn.Linear(made.features, CLASSES) for _ in range(tasks))
        self.shared = list(self.encoder.parameters())
        self.optimizer = torch.optim.Adam([*self.shared, *self.heads.parameters()], lr=RATE, fused=True)
        self.x = torch.from_numpy(arrays(network).source)
        self.y = [torch.from_numpy(own) for own in labels(network, tasks).values()]
        self.upgrad = aggregation.UPGrad()

    def step(self, engine: Callable[[Model, Tensor, Sequence[Tensor]], None]) -> None:
        """One step on rows drawn at random, gradients by the engine."""
        index = torch.randint(len(self.x), (BATCH,))
        self.optimizer.zero_grad()
        engine(self, self.encoder(self.x[index]), [own[index] for own in self.y])
        self.optimizer.step()

    def losses(self, features: Tensor, y: Sequence[Tensor]) -> list[Tensor]:
        """Each task's loss, 0-d."""
        return [cross_entropy(head(features), own) for head, own in zip(self.heads, y, strict=True)]


def seconds(side: str, network: str, tasks: int, steps: int) -> float:
    """Seconds per step, the mean over `steps`."""
    model = _model(side, network, tasks)
    start = time.perf_counter()
    for _ in range(steps):
        model.step(ENGINES[side])
    return (time.perf_counter() - start) / steps


def by_features(model: Model, features: Tensor, y: Sequence[Tensor]) -> None:
    """TorchJD: the Jacobian of the losses by the features, aggregated, then one pass through the encoder."""
    leaf = features.detach().requires_grad_()
    losses = model.losses(leaf, y)
    backward(losses, inputs=[leaf], retain_graph=True)
    jac_to_grad([leaf], model.upgrad)
    torch.autograd.backward(losses, inputs=list(model.heads.parameters()))
    torch.autograd.backward(features, leaf.grad)


def by_parameters(model: Model, features: Tensor, y: Sequence[Tensor]) -> None:
    """TorchJD: the Jacobian by the encoder's parameters, aggregated."""
    mtl_backward(model.losses(features, y), features=features)
    jac_to_grad(model.shared, model.upgrad)


def by_everything(model: Model, features: Tensor, y: Sequence[Tensor]) -> None:
    """TorchJD: the Jacobian by all parameters, those of heads too, aggregated."""
    backward(model.losses(features, y))
    jac_to_grad([*model.shared, *model.heads.parameters()], model.upgrad)


def matrix(model: Model, features: Tensor, y: Sequence[Tensor]) -> None:
    """LibMTL: a pass back for each loss of one tensor into a row of a matrix."""
    losses = torch.stack(model.losses(features, y))
    rows = torch.zeros(len(losses), sum(own.numel() for own in model.shared))
    for number in range(len(losses)):
        torch.autograd.backward(losses[number], retain_graph=number + 1 < len(losses))
        rows[number] = torch.cat([own.grad.flatten() for own in model.shared if own.grad is not None])
        for own in model.shared:
            own.grad = None
    weights = model.upgrad.gramian_weighting((rows @ rows.T).cpu())
    total = weights @ rows
    for own, part in zip(model.shared, torch.split(total, [own.numel() for own in model.shared]), strict=True):
        own.grad = part.view_as(own).clone(memory_format=torch.preserve_format)


ENGINES: dict[str, Callable[[Model, Tensor, Sequence[Tensor]], None]] = {
    "torchjd features": by_features,
    "torchjd parameters": by_parameters,
    "torchjd all parameters": by_everything,
    "libmtl restated": matrix,
}


@lru_cache(maxsize=16)
def _model(side: str, network: str, tasks: int) -> Model:
    """A model that has taken two steps."""
    torch.manual_seed(0)
    model = Model(network, tasks)
    for _ in range(2):
        model.step(ENGINES[side])
    return model
