"""Statistics of normalisation for domains that no phase has read, from their train rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from dareps.data._base import LabelledPart, Part
from dareps.engine.inputs import LARGE, at_once, blocks_of
from dareps.maths.domains import DomainNorm
from dareps.recipe.method import Method
from dareps.sharing._modules import Group

ROWS = 2048
"""Rows of the one batch from which the statistics are taken, unless all rows are asked for; fewer of large ones."""
Inputs = Callable[[np.ndarray], Tensor]
"""Rows of the data -> what the network reads."""


@torch.no_grad()
def calibrate(method: Method, parts: Sequence[Part | LabelledPart], inputs: Inputs) -> None:
    """Set the statistics of the parts' domains; the method is in evaluation mode.

    Args:
        method: Whose normalisation layers may have statistics by domain.
        parts: Train rows, one entry per domain.
        inputs: What makes the network's inputs of them.
    """
    layers = [layer for layer in method.modules() if isinstance(layer, DomainNorm) and layer.own]
    for part in parts if layers else ():
        run = partial(_run, method, part.domain, inputs)
        if method.recipe.normalise == "adabn":
            _layer_by_layer(layers, method.domains.index(part.domain), part.x, run)
        else:
            _in_one_batch(layers, part.x[: at_once(part.x.shape[1:], ROWS, 8 * LARGE)], run)


def _run(method: Method, domain: str, inputs: Inputs, x: np.ndarray) -> None:
    """Send rows through all networks."""
    rows = inputs(x)
    method.represent(rows, [Group(len(rows), domain, method.branches)])
    for task in method.shadow:
        method.shadow.outputs(task, rows, [Group(len(rows), domain, (task,))])


def _in_one_batch(layers: Sequence[DomainNorm], x: np.ndarray, run: Callable[[np.ndarray], None]) -> None:
    own = [layer.momentum for layer in layers]
    for layer in layers:
        layer.calibrating, layer.momentum = True, 1.0
    run(x)
    for layer, momentum in zip(layers, own, strict=True):
        layer.calibrating, layer.momentum = False, momentum


def _layer_by_layer(
    layers: Sequence[DomainNorm], domain: int, x: np.ndarray, run: Callable[[np.ndarray], None]
) -> None:
    """Mean and variance of what each layer gets, those before it already with the domain's own statistics."""
    order: dict[DomainNorm, None] = {}
    with _watching(layers, lambda layer, _: order.setdefault(layer)):
        run(x[:1])
    for layer in order:
        tally = Tally()
        with _watching([layer], tally.add):
            for block in blocks_of(x):
                run(block)
        layer.get_buffer(f"running_mean_{domain}").copy_(tally.mean)
        layer.get_buffer(f"running_var_{domain}").copy_(tally.variance)


class Tally:
    """Mean and variance over all rows and places, (c,), put together from blocks without loss (Chan et al., 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, _: DomainNorm, x: Tensor) -> None:
        """Take in a block (n, c, ...)."""
        values = x.double().movedim(1, 0).flatten(1)
        count, mean = values.shape[1], values.mean(1)
        squares = (values - mean.unsqueeze(1)).square().sum(1)
        total, off = self.count + count, mean - self.mean
        self.squares = self.squares + squares + off.square() * (self.count * count / total)
        self.mean = self.mean + off * (count / total)
        self.count = total

    @property
    def variance(self) -> Tensor:
        """Over n - 1, as running variances are."""
        return self.squares / max(self.count - 1, 1)


@contextmanager
def _watching(layers: Sequence[DomainNorm], see: Callable[[DomainNorm, Tensor], object]) -> Iterator[None]:
    """Show what reaches the layers, in the order in which it does."""

    def shown(layer: torch.nn.Module, arguments: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, DomainNorm)
        see(layer, arguments[0])

    handles = [layer.register_forward_pre_hook(shown) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
